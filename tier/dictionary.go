package tier

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
)

// Answers of one stage look alike: the same names, the same shape. A small record alone has little in it to be packed by, so
// what records have in common is kept once, as a dictionary of pieces of earlier ones. Each segment that uses one carries it,
// sealed like everything in it: a segment needs no other file to be read, and an old dictionary goes with the last segment
// that it was used in.
//
// What is sealed for integrity only (Plain) is neither packed with a dictionary nor part of one: who knows such a record could tell
// from its packed form, which lies open, what others contain.

const (
	// codecDictionary in a record's header says that it is packed with its segment's dictionary. A Codec's own numbers are below.
	codecDictionary = 0x80

	dictionarySize = 32 << 10 // bytes of a dictionary; twice as many gain a few percent
	// Blobs that are packed with one. A longer one has enough in common with itself, a shorter one has nothing to gain.
	dictionaryLeast   = 64
	dictionaryLongest = 64 << 10
	// dictionaryPays is how much of what is to be packed is worth storing one in a segment for.
	dictionaryPays = 4 * dictionarySize
	// dictionaryLife is after what time no further segment gets a dictionary: pieces of what has expired or was purged should
	// not be handed on for ever.
	dictionaryLife = time.Hour
)

var bucketDictionary = []byte("dictionary")

// dictionary is one that was trained here, or came with a segment. Segments share it.
type dictionary struct {
	Dictionary
	content []byte
	born    time.Duration // uptime; negative for one that is older than the process
}

func (d *Disk) newDictionary(content []byte) *dictionary {
	codec, ok := d.o.Codec.(DictionaryCodec)
	if !ok {
		return nil
	}
	made := codec.NewDictionary(content)
	if made == nil {
		return nil
	}
	return &dictionary{Dictionary: made, content: content, born: d.uptime()}
}

// dictionaryFor is what a record of a stream should be packed with: what the active segment has, else what the next one gets.
func (d *Disk) dictionaryFor(stream int) *dictionary {
	if dict := d.dictionaries[stream].Load(); dict != nil {
		return dict
	}
	return d.dictionary.Load()
}

// encodeBlob appends blob packed to dst, and says how, and with which dictionary if any. Codec 0: as it is.
func (d *Disk) encodeBlob(dst, blob []byte, plain bool, dict *dictionary) ([]byte, uint8, *dictionary) {
	if dict == nil || plain || len(blob) < dictionaryLeast || len(blob) > dictionaryLongest {
		out, codec := d.o.Codec.Encode(dst, blob)
		return out, codec, nil
	}
	out := dict.Encode(dst, blob)
	packed := len(out) - len(dst)
	if packed <= len(blob)/2 {
		return out, codecDictionary, dict
	}
	// This one is of another kind than most.
	room := getBuffer(0)
	defer putBuffer(room)
	other, codec := d.o.Codec.Encode((*room)[:0], blob)
	*room = other
	if len(other) <= packed {
		return append(out[:len(dst)], other...), codec, nil
	}
	return out, codecDictionary, dict
}

// decode appends to dst the blob that was packed into payload.
func decode(codec Codec, dict *dictionary, dst, payload []byte, how uint8, size int) ([]byte, error) {
	if how != codecDictionary {
		return codec.Decode(dst, payload, how, size)
	}
	if dict == nil {
		return dst, fmt.Errorf("the segment's dictionary is missing: %w", ErrDamaged)
	}
	return dict.Decode(dst, payload, size)
}

// fit gives the segment a dictionary if that pays by now, and packs again what was packed with another one. That is seldom more
// than what waited when a dictionary changed. The caller is the writer; recs are encoded.
func (d *Disk) fit(s *segment, recs []*pendingRecord) error {
	dict, next := s.dictionary.Load(), d.dictionary.Load()
	if next != nil && d.uptime()-next.born >= dictionaryLife {
		d.dictionary.CompareAndSwap(next, nil)
		d.trainer.skip.Store(0) // the next one, soon
		next = nil
	}
	if dict == nil && next != nil {
		pays := s.totals.rawBytes
		for _, p := range recs {
			if p.dict == next {
				pays += int64(p.raw)
			}
		}
		if pays >= dictionaryPays {
			dict = next
			s.dictionary.Store(dict) // before any record that needs it can be found
			d.dictionaries[s.stream].Store(dict)
		}
	}
	for _, p := range recs {
		if p.dict == nil || p.dict == dict {
			continue
		}
		blob := p.Blob
		if p.from != nil {
			var err error
			if blob, err = p.dict.Decode(nil, p.packed, p.raw); err != nil {
				return fmt.Errorf("pack again: %w", err)
			}
		}
		p.packed, p.codec, p.dict = d.encodeBlob(nil, blob, p.Plain, dict)
	}
	return nil
}

// putDictionary stores the segment's dictionary in tx, unless it has it already or has none.
func (s *segment) putDictionary(tx *bolt.Tx) error {
	dict := s.dictionary.Load()
	if dict == nil || s.dictionaryStored {
		return nil
	}
	sealed, err := sealDictionary(s.sealer, dict.content)
	if err != nil {
		return err
	}
	b, err := tx.CreateBucket(bucketDictionary)
	if err != nil {
		return err
	}
	return b.Put(keyValue, sealed)
}

func sealDictionary(s *crypto.Sealer, content []byte) ([]byte, error) {
	// Same key and nonce space as the segment's records; the kind keeps it apart.
	return s.Seal(nil, content, appendAAD(nil, kindDictionary, nil, s.Context()))
}

func openDictionary(s *crypto.Sealer, sealed []byte) ([]byte, error) {
	b, err := s.Open(nil, sealed, appendAAD(nil, kindDictionary, nil, s.Context()))
	if err != nil {
		return nil, fmt.Errorf("dictionary: %w: %w", ErrDamaged, err)
	}
	return b, nil
}

// readDictionary is the content of a segment's dictionary; nil: it has none.
func readDictionary(tx *bolt.Tx, pages *boltPages, s *crypto.Sealer) ([]byte, error) {
	b, err := bucketIn(tx, pages, bucketDictionary)
	if b == nil || err != nil {
		return nil, err
	}
	return openDictionary(s, bytes.Clone(b.Get(keyValue)))
}

// shareDictionary makes a dictionary of content, or finds it with another segment.
func (d *Disk) shareDictionary(content []byte, others []*segment) *dictionary {
	for _, s := range others {
		if dict := s.dictionary.Load(); dict != nil && bytes.Equal(dict.content, content) {
			return dict
		}
	}
	return d.newDictionary(content)
}

// backdate makes dict as old as the oldest segment that carries it: else each start would give it another hour.
func (d *Disk) backdate(dict *dictionary, found []*segment) {
	now := d.o.Now()
	for _, s := range found {
		if s.dictionary.Load() == dict {
			age := time.Duration(max(0, now-s.totals.mark)) * time.Millisecond
			dict.born = min(dict.born, d.uptime()-age)
		}
	}
}

// dictionaryBytes is what dictionaries take in memory, with the tables to pack by.
func (d *Disk) dictionaryBytes() int64 {
	seen := make(map[*dictionary]bool)
	seen[d.dictionary.Load()] = true
	for _, s := range d.segments() {
		seen[s.dictionary.Load()] = true
	}
	delete(seen, nil)
	return int64(len(seen)) * 2 * dictionarySize
}

// trainer collects samples of what is put, and makes dictionaries of them.
type trainer struct {
	skip    atomic.Int64 // chunks to let pass
	mu      sync.Mutex
	samples [][]byte // guarded by mu
	bytes   int      // guarded by mu: of samples
}

const (
	trainerBytes    = 4 * dictionarySize // samples for a dictionary, and to try it on
	trainerPerChunk = 8
	trainerPause    = 64 // chunks that pass between two that are looked at, once there was a first dictionary
)

// learn takes samples of a chunk, and makes a dictionary when there are enough.
func (d *Disk) learn(recs []*pendingRecord) {
	if _, ok := d.o.Codec.(DictionaryCodec); !ok || d.trainer.skip.Add(-1) >= 0 {
		return
	}
	t := &d.trainer
	t.mu.Lock()
	step := max(1, len(recs)/trainerPerChunk)
	for i := 0; i < len(recs) && t.bytes < trainerBytes; i += step {
		if p := recs[i]; !p.Plain && len(p.Blob) >= dictionaryLeast && len(p.Blob) <= dictionarySize {
			t.samples = append(t.samples, bytes.Clone(p.Blob))
			t.bytes += len(p.Blob)
		}
	}
	var samples [][]byte
	if t.bytes >= trainerBytes {
		samples, t.samples, t.bytes = t.samples, nil, 0
	}
	t.mu.Unlock()
	if samples != nil {
		d.train(samples)
		t.skip.Store(trainerPause)
	} else if d.dictionary.Load() != nil {
		t.skip.Store(trainerPause)
	}
}

// train makes a dictionary of every second sample and tries it on the others. If it saves a tenth of what they take as things are,
// segments that have none get it from now on.
func (d *Disk) train(samples [][]byte) {
	content := make([]byte, 0, dictionarySize+16)
	var others [][]byte
	for i, b := range samples {
		if i%2 == 0 && len(content)+len(b) <= dictionarySize {
			content = append(content, b...)
		} else {
			others = append(others, b)
		}
	}
	dict := d.newDictionary(content)
	if dict == nil {
		return
	}
	if was := d.dictionary.Load(); d.packedSize(others, dict)*10 <= d.packedSize(others, was)*9 {
		d.dictionary.CompareAndSwap(was, dict)
	}
}

func (d *Disk) packedSize(blobs [][]byte, dict *dictionary) (n int) {
	room := getBuffer(0)
	defer putBuffer(room)
	for _, b := range blobs {
		*room, _, _ = d.encodeBlob((*room)[:0], b, false, dict)
		n += len(*room)
	}
	return n
}
