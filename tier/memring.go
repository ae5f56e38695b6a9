package tier

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// memRing lists what was written to one of fastcache's rings, in that order, so that it can be judged before it is written over.
type memRing struct {
	mu    sync.Mutex    // guards all but what is atomic; what is listed under it is written under it
	end   atomic.Uint64 // bytes ever written, with what was left unused
	tail  uint64        // how many of them are before the oldest piece that is listed
	first uint64        // that one's number
	next  uint64        // the next one's
	slots []memSlot
	words []atomic.Uint32 // of the slots, apart from them: readers change these, and a cache line holds sixteen
}

// memSlot stands for a piece: an entry, its head, or a chunk.
type memSlot struct {
	hash Hash
	size uint32 // with what was left unused before it
}

// A slot's word is slotWord, slotChunk, and how often it was asked for (not of a chunk).

const (
	slotAsked  = 3 // and no more than that
	slotChunk  = 4
	slotDigits = 3 // of the word, below its number
	// memSlotSize is how many bytes of a ring there are for each slot. Where pieces are smaller, they are judged before their time.
	memSlotSize  = 512
	memRingBytes = int64(unsafe.Sizeof(memSlot{}) + unsafe.Sizeof(atomic.Uint32{}))
)

// slotWord is the word of number, as much of it as there is room for.
func slotWord(number uint64) uint32 { return uint32(number << slotDigits) }

func newMemRings(n int, size uint64) []memRing {
	rings, slots := make([]memRing, n), int(size/memSlotSize)
	all, words := make([]memSlot, n*slots), make([]atomic.Uint32, n*slots)
	for i := range rings {
		rings[i].slots, rings[i].words = all[i*slots:(i+1)*slots], words[i*slots:(i+1)*slots]
	}
	return rings
}

// after is what end becomes when n bytes are written. Nothing crosses from one block to the next, nor fills one up.
func after(end uint64, n int) uint64 {
	is := end + uint64(n)
	if is/memBlock > end/memBlock {
		is = is/memBlock*memBlock + uint64(n)
	}
	return is
}

// list adds a piece of n bytes, which is about to be written, and returns its number.
func (r *memRing) list(h *Hash, n int, word uint32) uint64 {
	if r.next-r.first == uint64(len(r.slots)) {
		r.unlist()
	}
	end := r.end.Load()
	is := after(end, n)
	number := r.next
	s := r.slot(number)
	s.hash, s.size = *h, uint32(is-end)
	r.word(number).Store(word)
	r.next++
	r.end.Store(is)
	return number
}

func (r *memRing) slot(number uint64) *memSlot { return &r.slots[number%uint64(len(r.slots))] }

func (r *memRing) word(number uint64) *atomic.Uint32 { return &r.words[number%uint64(len(r.words))] }

func (r *memRing) unlist() *memSlot {
	s := r.slot(r.first)
	r.first++
	r.tail += uint64(s.size)
	return s
}

// take takes the oldest piece off the list if n more bytes would be written over it, or if no more can be listed.
func (r *memRing) take(n int, ringSize uint64) (h Hash, word uint32, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	listed := r.next - r.first
	if listed == 0 || listed < uint64(len(r.slots)) && after(r.end.Load(), n) <= r.tail+ringSize {
		return h, 0, false
	}
	word = r.word(r.first).Load()
	return r.unlist().hash, word, true
}

// ask counts that an entry was asked for, unless its slot has become another's.
func (r *memRing) ask(number uint64) {
	word := r.word(number)
	if w := word.Load(); w&slotAsked < slotAsked && w&^slotAsked == slotWord(number) {
		word.CompareAndSwap(w, w+1) // else somebody counted at the same time
	}
}

// asked is how often an entry was asked for.
func (r *memRing) asked(number uint64) uint32 {
	if w := r.word(number).Load(); w&^slotAsked == slotWord(number) {
		return w & slotAsked
	}
	return 0
}

// excuse forgets that an entry was asked for.
func (r *memRing) excuse(number uint64) {
	word := r.word(number)
	if w := word.Load(); w&^slotAsked == slotWord(number) {
		word.CompareAndSwap(w, w&^slotAsked)
	}
}
