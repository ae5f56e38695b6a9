package tier

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// DiskOptions configure a Disk. Keys, Now and Capacity must be set.
type DiskOptions struct {
	Keys     *crypto.StageKey
	Capacity int64 // bytes as du counts them; never exceeded by more than one segment
	// Now is engine time in ms: it never goes back.
	Now func() int64
	// Uptime is monotonic, for ages. nil: time since OpenDisk.
	Uptime func() time.Duration

	FS          vfs.FS        // nil: the real one
	Codec       Codec         // nil: blobs are sealed as they are
	MaxBlob     int           // largest blob; 0: 1 MiB and a little
	SegmentSize int64         // 0: a 64th of the capacity, 8 to 512 MiB
	QueueBytes  int64         // blobs waiting to be written, and what they are encoded to; 0: 12 MiB
	MaxAge      time.Duration // a record waits no longer to be committed, unless room is being made (holdMost); 0: 500 ms
	Block       bool          // Put waits for room in the queue instead of dropping
	IndexBytes  int64         // past it the oldest segments are evicted; 0: no limit
	OpenFiles   int           // descriptors for reading; 0: 512
	// Reserved is disk space used by others that counts against Capacity (old generations on their way out). nil: none.
	Reserved func() int64
	// Reclaim gives up some of what is reserved; false: nothing to give. It is asked before any segment is evicted. nil: nobody.
	Reclaim func() bool
	// Judge says of a record that is about to be moved whether it is still wanted, and its labels. nil: it is, and none.
	Judge Judge
	// Report is told of what an operator should know. nil: nobody.
	Report func(event, file string, err error)
}

// Limits of the layout.
const (
	MinSegment = 8 << 20
	maxSegment = 512 << 20
	// maxRound is how many bytes one round of the writer takes from the queue: a commit's usual size.
	maxRound = 4 << 20
	// maxSlots bounds the segments that live at one time.
	maxSlots = 1 << 14
)

// Disk is a Tier on disk: a log of segments. See the package's doc.
type Disk struct {
	dir         string
	o           DiskOptions
	segmentSize int64
	start       time.Time

	index   *index
	pending [pendingShards]pendingShard

	ghosts          *ghosts      // of the entrance; nil: there is none
	entranceWritten atomic.Int64 // bytes, for the clock of ghosts

	// What is put supersedes what they may hold, whether or not the index knows of it.
	strays segmentList // files that may hold anything
	copied segmentList // files that may hold certain records; see leaveCopies

	files openFiles

	segs        [maxSlots]atomic.Pointer[segment] // by slot
	slotMu      sync.Mutex
	freeSlots   []uint16 // guarded by slotMu
	highSlot    uint16   // guarded by slotMu: no segment at or above
	deadSlots   []uint16 // guarded by slotMu: free after the next sweep of the index
	nextSegment atomic.Uint64
	nextBatch   atomic.Uint64
	loadedSeq   uint64 // highest sequence on disk at open
	loadedStamp uint64 // highest stamp on disk at open
	loadedMark  int64  // newest engine time on disk at open

	queueMu    sync.Mutex
	queueRoom  *sync.Cond // signalled when queueBytes or what moves shrinks, and when a round ends
	queue      []*pendingRecord
	enqueued   uint64        // records ever put in the queue
	queueBytes int64         // reserved: of what waits, and of what is being written
	waiting    int64         // size of what waits
	open       *chunk        // what comes next is encoded with it; nil: with a new one
	queueSince time.Duration // uptime at which the oldest waiting record came
	closed     bool
	discarded  bool               // closed without writing what waits
	tombs      map[Hash]*shadowed // tombstones owed, never dropped
	moving     moving
	heldSince  time.Duration // uptime since which what is put is held back, and a nanosecond more; 0: it is not

	trainer      trainer
	dictionary   atomic.Pointer[dictionary]          // for segments to come; nil: none
	dictionaries [streams]atomic.Pointer[dictionary] // the active segments'; the writer alone stores

	encoding  chan *chunk   // for the helpers
	wake      chan struct{} // the writer looks at the queue
	makeAhead chan struct{} // evictAhead looks at the room
	sync      chan chan error
	done      chan struct{} // closed when the writer has ended
	closing   chan struct{} // closed when Close begins
	stop      chan struct{} // closed when the writer should finish
	closeErr  error         // set before done is closed
	helpers   sync.WaitGroup
	loaded    chan struct{} // closed when the index is complete
	loadOnce  sync.Once
	unloaded  atomic.Uint64 // number of the newest batch that is not in the index yet; 0: all are

	// Owned by the writer.
	active      [streams]*segment
	taken       uint64                // records taken from the queue so far
	brokenAt    atomic.Int64          // uptime of the last failed commit
	lost        atomic.Pointer[error] // why records were lost since the last Sync
	broken      atomic.Bool           // the last commit failed: drop until the next try
	writerMu    sync.Mutex            // serialises rounds, evictions and compaction's unlinking
	compactMu   sync.Mutex            // one compaction at a time
	makingAhead atomic.Bool           // evictAhead is at work, or about to be

	diskBytes, written, dataWritten                            atomic.Int64
	stored, dropped, evicted, moved, quarantined, falseMatches atomic.Int64
	quarantinedFiles                                           atomic.Int64 // bytes of files set aside
	indexLimit                                                 atomic.Int64 // past it the oldest segments are evicted; 0: no limit
}

// OpenDisk opens the generation directory dir, which must exist, and begins to load its index in the background: until
// Loaded is closed, what is not yet loaded is a miss, and nothing wrong is ever answered.
func OpenDisk(dir string, o DiskOptions) (*Disk, error) {
	if o.Keys == nil || o.Now == nil || o.Capacity <= 0 {
		return nil, errors.New("tier: Keys, Now and Capacity must be set")
	}
	d := &Disk{dir: dir, o: o, start: time.Now(), wake: make(chan struct{}, 1), makeAhead: make(chan struct{}, 1), sync: make(chan chan error),
		done: make(chan struct{}), closing: make(chan struct{}), stop: make(chan struct{}), loaded: make(chan struct{})}
	d.queueRoom = sync.NewCond(&d.queueMu)
	d.fillDefaults()
	d.ghosts = d.newEntrance()
	d.LimitIndex(o.IndexBytes)
	d.files.most, d.files.close = int64(d.o.OpenFiles), d.closeIdle
	d.encoding = make(chan *chunk, d.o.QueueBytes/chunkBytes)
	d.index = newIndex(func(slot uint16) bool { return slot < maxSlots && d.segs[slot].Load() != nil })
	for slot := maxSlots - 1; slot >= slotFirst; slot-- {
		d.freeSlots = append(d.freeSlots, uint16(slot))
	}
	for i := range d.pending {
		d.pending[i].m = make(map[Hash]*pendingRecord)
	}
	found, err := d.scan()
	if err != nil {
		d.files.reader.Close()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	var records int64
	for _, s := range found {
		records += s.totals.records
	}
	d.index.StartLoading(records)
	go d.load(d.startLoading(found))
	go d.write()
	d.helpers.Go(d.evictAhead)
	for range runtime.GOMAXPROCS(0) {
		d.helpers.Go(d.help)
	}
	return d, nil
}

func (d *Disk) fillDefaults() {
	o := &d.o
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Codec == nil {
		o.Codec = plainCodec{}
	}
	if o.MaxBlob == 0 {
		o.MaxBlob = 1<<20 + 64<<10
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 12 << 20
	}
	if o.MaxAge == 0 {
		o.MaxAge = 500 * time.Millisecond
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = 512
	}
	if o.Uptime == nil {
		o.Uptime = func() time.Duration { return time.Since(d.start) }
	}
	if o.Report == nil {
		o.Report = func(string, string, error) {}
	}
	d.segmentSize = o.SegmentSize
	if d.segmentSize == 0 {
		d.segmentSize = min(max(o.Capacity/64, MinSegment), maxSegment)
	}
}

func (d *Disk) uptime() time.Duration { return d.o.Uptime() }

// Loaded is closed once every entry on disk is known.
func (d *Disk) Loaded() <-chan struct{} { return d.loaded }

// AtOpen is what the disk held at open: the highest sequence and stamp, and the newest engine time in ms.
func (d *Disk) AtOpen() (seq, stamp uint64, mark int64) {
	return d.loadedSeq, d.loadedStamp, d.loadedMark
}

// Get implements Tier with at most one pread.
func (d *Disk) Get(dst []byte, h Hash) ([]byte, Found, error) {
	if p := d.shardOf(&h).get(&h); p != nil {
		return append(dst, p.Blob...), p.found(), nil
	}
	l, again, ok := d.index.Ask(&h)
	if !ok {
		return dst, Found{}, ErrNotFound
	}
	s := d.segs[l.seg].Load()
	if s == nil || d.mayBeOld(s, l.off) {
		return dst, Found{}, ErrNotFound
	}
	return d.read(dst, &h, s, l, again)
}

// Touch says that h was asked for and answered from elsewhere: an eviction counts it as if it had been read here.
func (d *Disk) Touch(h Hash) { d.index.Ask(&h) }

// read fetches and opens the record at l. Whatever is wrong with it, the answer is a miss and the neighbours stay. What was asked for
// before (again) may be asked for once more: that is worth a place in the page cache.
func (d *Disk) read(dst []byte, h *Hash, s *segment, l loc, again bool) ([]byte, Found, error) {
	room := getBuffer(longSize(l.size))
	defer putBuffer(room)
	n, err := s.readFrom(*room, int64(l.off), !again)
	if errors.Is(err, ErrNotFound) {
		return dst, Found{}, ErrNotFound // unlinked in between
	}
	if errors.Is(err, errUnopened) {
		return dst, Found{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	out, found, mine, err := d.openAt(dst, h, s, (*room)[:n], err)
	if err == nil {
		if !mine {
			d.falseMatches.Add(1)
			return dst, Found{}, ErrNotFound
		}
		found.at = l
		return out, found, nil
	}
	// Offsets never move in this layout; if one did all the same, bbolt knows better.
	if again, rerr := s.relocate(int64(l.off), longSize(l.size)); rerr == nil {
		if out, found, mine, rerr := d.openAt(dst, h, s, again, nil); rerr == nil && mine {
			found.at = l
			return out, found, nil
		}
	}
	// If the index has let go of l meanwhile, its place may belong to somebody else by now.
	if s.is(stateDead) || !d.index.At(h, l) {
		return dst, Found{}, ErrNotFound
	}
	d.leaveCopies(s) // what cannot be read now may be readable later
	s.leaveCopy(h)
	d.damage(s, err)
	if d.index.RemoveAt(h, l) {
		d.account(l, -1)
	}
	return dst, Found{}, fmt.Errorf("%w: %w", ErrNotFound, err)
}

// openAt opens the record at the front of b. mine is false if it is intact but another hash's.
func (d *Disk) openAt(dst []byte, h *Hash, s *segment, b []byte, readErr error) (out []byte, f Found, mine bool, err error) {
	if readErr != nil {
		return dst, f, false, readErr
	}
	head, err := parseRecordHeader(b)
	if err != nil {
		return dst, f, false, err
	}
	asIs := head.codec == 0 && head.payloadSize == head.blobSize+crypto.Overhead && head.blobSize <= d.o.MaxBlob
	room := &dst // of what is not packed, the payload is the blob
	if !asIs {
		room = getBuffer(head.payloadSize)
		defer putBuffer(room)
		*room = (*room)[:0]
	}
	payload, err := openRecord(*room, s.sealer, &head, b)
	if err != nil {
		return dst, f, false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if head.hash != *h {
		return dst, f, false, nil
	}
	if head.blobSize > d.o.MaxBlob {
		return dst, f, false, fmt.Errorf("record claims %d bytes: %w", head.blobSize, ErrDamaged)
	}
	if out = payload; !asIs {
		if out, err = decode(d.o.Codec, s.dictionary.Load(), dst, payload, head.codec, head.blobSize); err != nil {
			return dst, f, false, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return out, Found{Seq: head.seq, Stamp: head.stamp, Expires: head.expires, Plain: head.plain}, true, nil
}

// Current tells whether f is still the newest version of h. A promotion to memory asks under the caller's lock of the key,
// before it copies what it has read.
func (d *Disk) Current(h Hash, f Found) bool {
	if p := d.shardOf(&h).get(&h); p != nil {
		return p.Seq == f.Seq
	}
	l, ok := d.index.Lookup(&h)
	return ok && l == f.at
}

// Drop implements Tier.
func (d *Disk) Drop(h Hash, f Found) {
	sh := d.shardOf(&h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if p := sh.m[h]; p != nil {
		if p.Seq == f.Seq {
			// It stays in the queue, so that what it supersedes on disk stays superseded.
			p.gone = true
		}
		return
	}
	if f.at.seg >= slotFirst && d.index.RemoveAt(&h, f.at) {
		d.account(f.at, -1)
		d.disown(h, f.Seq, f.Expires, d.segs[f.at.seg].Load())
	}
}

// disown sees to a version in segment s, which may be nil, that the index does not know any more: what is put next does not know
// that it supersedes that one, and through it those before.
func (d *Disk) disown(h Hash, seq uint64, expires int64, s *segment) {
	if s != nil && expires > d.o.Now() {
		d.owe(&shadowed{hash: h, seq: seq + 1, shadows: []shadow{{s}}})
	}
}

// account adds n to what the segment of l has alive.
func (d *Disk) account(l loc, n int64) {
	if l.seg >= maxSlots {
		return
	}
	if s := d.segs[l.seg].Load(); s != nil {
		s.live.Add(n)
		s.liveBytes.Add(n * int64(longSize(l.size)))
	}
}

// damage marks a segment: what opens in it is still served, and it is the first to be evicted.
func (d *Disk) damage(s *segment, err error) {
	for {
		st := s.state.Load()
		if segmentState(st) == stateDamaged || segmentState(st) == stateDead {
			return
		}
		if segmentState(st) == stateActive {
			// The writer may go on: what it appends from here proves itself as well. Count it once, when it is sealed.
			if s.suspect.Swap(true) {
				return
			}
			break
		}
		if s.state.CompareAndSwap(st, int32(stateDamaged)) {
			break
		}
	}
	d.quarantined.Add(1)
	d.o.Report("segment damaged", s.path, err)
}

// segments lists the live segments, in no order.
func (d *Disk) segments() []*segment {
	var out []*segment
	d.slotMu.Lock()
	defer d.slotMu.Unlock()
	for i := range d.segs[:d.highSlot] {
		if s := d.segs[i].Load(); s != nil {
			out = append(out, s)
		}
	}
	return out
}
