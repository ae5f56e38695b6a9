package tier

import (
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
