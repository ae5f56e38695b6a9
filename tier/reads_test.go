package tier

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"
)

// What the index knows costs one read, what it does not know none, and what still waits to be written none either.
func TestAGetIsOneRead(t *testing.T) {
	l := newLife(t, withDictionaries)
	putAlike(l, 1, 0, trained)
	l.mustPut(trained, trained+1, 200_000, time.Hour)
	l.sync()
	l.reopen()
	reads := 0
	l.d.files.watch = func() { reads++ }
	count := func(n int) (int, bool) {
		reads = 0
		_, _, err := l.d.Get(nil, hashOf(n))
		return reads, err == nil
	}
	for n := range trained + 1 {
		if got, found := count(n); got != 1 || !found {
			t.Fatalf("record %d: %d reads, found %v", n, got, found)
		}
	}
	for n := trained + 1; n < 2*trained; n++ {
		if got, found := count(n); got != 0 || found {
			t.Fatalf("record %d, which is not there: %d reads, found %v", n, got, found)
		}
	}
	l.mustPut(5, 2*trained, 100, time.Hour)
	if got, found := count(5); got != 0 || !found {
		t.Errorf("a record that waits: %d reads, found %v", got, found)
	}
}

// A read that stalls holds up who asked for that record, and nobody else: neither other reads, nor puts, nor the writer.
func TestAReadThatStalls(t *testing.T) {
	l := newLife(t, nil)
	for n := range 4 {
		l.mustPut(n, uint64(n+1), 1000, time.Hour)
	}
	l.sync()
	var stalls atomic.Bool
	struck, gate := make(chan struct{}), make(chan struct{})
	l.d.files.watch = func() {
		if stalls.CompareAndSwap(true, false) {
			close(struck)
			<-gate
		}
	}
	stalls.Store(true)
	got := make(chan error, 1)
	go func() {
		blob, _, err := l.d.Get(nil, hashOf(0))
		if err == nil && !bytes.Equal(blob, blobOf(1, 1000)) {
			err = ErrDamaged
		}
		got <- err
	}()
	<-struck
	for n := 1; n < 4; n++ {
		l.wantSeq(n, uint64(n+1), "of the same segment")
	}
	for n := 10; n < 200; n++ {
		l.mustPut(n, uint64(n), 5000, time.Hour)
		l.wantSeq(n, uint64(n), "waits to be written")
	}
	l.sync() // several segments are sealed meanwhile
	l.sealAll()
	l.house()
	l.wantSeq(199, 199, "of another segment")
	closed := make(chan error, 1)
	go func() { closed <- l.close() }()
	select {
	case err := <-got:
		t.Fatalf("the read did not wait: %v", err)
	default:
	}
	close(gate)
	if err := <-got; err != nil {
		t.Errorf("the read that stalled: %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}
