package tier

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Encoding takes most of what a record costs, and needs nothing that a round of the writer decides: no segment, no order, no
// place. So it happens while records wait in the queue: helpers encode what comes next beside the commit of what came before,
// and what they have not come to when its turn comes is encoded by the writer.

// chunkBytes is how much is handed to a helper at a time.
const chunkBytes = 64 << 10

// chunk is some neighbours in the queue that are encoded together.
type chunk struct {
	recs  []*pendingRecord // guarded by queueMu while it is the open one, fixed from then on
	bytes int64            // likewise
	once  sync.Once        // encodes them
}

// join adds p to the open chunk, and returns the chunk if that closes it. The caller holds queueMu.
func (d *Disk) join(p *pendingRecord) *chunk {
	c := d.open
	if c == nil {
		c = new(chunk)
		d.open = c
	}
	p.chunk = c
	c.recs = append(c.recs, p)
	c.bytes += p.size
	if c.bytes < chunkBytes {
		return nil
	}
	d.open = nil
	return c
}

// offer gives a closed chunk to the helpers. If they have enough to do, the writer will see to it.
func (d *Disk) offer(c *chunk) {
	select {
	case d.encoding <- c:
	default:
	}
}

// help encodes what is offered until the tier is closed.
func (d *Disk) help() {
	for {
		select {
		case c := <-d.encoding:
			d.encode(c)
		case <-d.closing:
			return
		}
	}
}

// encode sees to it that the records of c are encoded when it returns.
func (d *Disk) encode(c *chunk) {
	c.once.Do(func() {
		d.learn(c.recs)
		now := d.o.Now()
		room := getBuffer(int(c.bytes))
		defer putBuffer(room)
		*room = (*room)[:0]
		ends := make([]int, len(c.recs))
		for i, p := range c.recs {
			p.raw = len(p.Blob)
			// What was replaced while it waited is not worth the work. Should it be written all the same, it is as it is.
			if before := len(*room); !d.shardOf(&p.Hash).isGone(p) {
				*room, p.codec, p.dict = d.encodeBlob(*room, p.Blob, p.Plain, d.dictionaryFor(p.stream(now)))
				if p.codec == 0 {
					*room = (*room)[:before]
				}
			}
			ends[i] = len(*room)
		}
		packed, from := slices.Clone(*room), 0
		for i, p := range c.recs {
			if p.packed = packed[from:ends[i]:ends[i]]; p.codec == 0 {
				p.packed = p.Blob
			}
			from = ends[i]
		}
	})
}

// encodeAll sees to it that recs are encoded, on all processors.
func (d *Disk) encodeAll(recs []*pendingRecord) {
	var todo []*chunk
	var last *chunk
	for _, p := range recs {
		if p.chunk != last && p.chunk != nil {
			last = p.chunk
			todo = append(todo, last)
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(todo)); i = next.Add(1) - 1 {
				d.encode(todo[i])
			}
		})
	}
	wg.Wait()
}
