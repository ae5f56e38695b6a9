package tier

import (
	"encoding/binary"
	"math/bits"
)

// fastcache keeps its entries in 512 rings, and the xxHash64 of an entry's key, modulo 512, says in which. So the keys decide who
// pushes whom out. Ours need only be different from one another; they are made such that they hash to a ring of our choice,
// by undoing the steps of xxHash64, each of which can be undone.
//
// Should fastcache hash differently one day, every answer stays right, and only the division of its rings is lost; a test tells.

// memRings is how many rings fastcache has.
const memRings = 512

// The primes of xxHash64, and what undoes a multiplication by them modulo 2^64.
const (
	xxPrime1 uint64 = 11400714785074694791
	xxPrime2 uint64 = 14029467366897019727
	xxPrime3 uint64 = 1609587929392839161
	xxPrime4 uint64 = 9650029242287828579
	xxPrime5 uint64 = 2870177450012600261
)

var xxUndo1, xxUndo2, xxUndo3 = inverse(xxPrime1), inverse(xxPrime2), inverse(xxPrime3)

// inverse is Newton's method: each step doubles how many low bits are right, and an odd number undoes its own lowest three.
func inverse(p uint64) uint64 {
	x := p
	for range 5 {
		x *= 2 - p*x
	}
	return x
}

// xxRound is what is done to each 8 bytes of a key.
func xxRound(in uint64) uint64 { return bits.RotateLeft64(in*xxPrime2, 31) * xxPrime1 }

// xxLast returns the last 8 bytes of a key whose hash is to be sum, if state is what the bytes before have made.
func xxLast(state, sum uint64) uint64 {
	sum ^= sum >> 32
	sum *= xxUndo3
	sum ^= sum>>29 ^ sum>>58
	sum *= xxUndo2
	sum ^= sum >> 33
	in := bits.RotateLeft64((sum-xxPrime4)*xxUndo1, -27) ^ state
	return bits.RotateLeft64(in*xxUndo1, -31) * xxUndo2
}

// aimedKey is the key of h in a ring. Two hashes have the same one only if they agree in 119 bits.
func aimedKey(h *Hash, ring uint64) (k [16]byte) {
	a, b := binary.LittleEndian.Uint64(h[:]), binary.LittleEndian.Uint64(h[8:])
	state := bits.RotateLeft64((xxPrime5+16)^xxRound(a), 27)*xxPrime1 + xxPrime4
	binary.LittleEndian.PutUint64(k[:], a)
	binary.LittleEndian.PutUint64(k[8:], xxLast(state, b-b%memRings+ring))
	return k
}

// chunkKey is the key of chunk n in a ring. It is shorter than that of a hash, so that the two never meet.
func chunkKey(n, ring uint64) (k [8]byte) {
	binary.LittleEndian.PutUint64(k[:], xxLast(xxPrime5+8, n*memRings+ring))
	return k
}
