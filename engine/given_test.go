package engine

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// TestGivenValues: a value that is given with the room that Meta.Room says is stored where it lies, and with it one that was not given, or
// holds much more memory than it needs, is copied. Either way the bytes up to its length stay as they are, for others may be reading them.
func TestGivenValues(t *testing.T) {
	for _, memory := range []int64{0, MinMemory} {
		r := newRig(t, func(o *Options) { o.Memory = memory })
		m := Meta{TTL: time.Hour, Path: "/products", Tags: []string{"a", "bc"}}
		key := []byte("key")
		for _, c := range []struct {
			name   string
			given  bool
			spare  int
			copied bool
		}{
			{"given", true, m.Room(len(key)), false},
			{"given with a little more", true, m.Room(len(key)) + 100, false},
			{"not given", false, m.Room(len(key)), true},
			{"a byte too little", true, m.Room(len(key)) - 1, true},
			{"much too much", true, 5000, true},
		} {
			value := make([]byte, 1000, 1000+c.spare)
			for i := range value {
				value[i] = byte(i)
			}
			want := bytes.Clone(value)
			l := r.leaseFor("key", time.Minute)
			m.Given = c.given
			if err := l.Put(value, m); err != nil {
				t.Fatal(err)
			}
			e, err := l.Wait(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if copied := &e.Value[0] != &value[0]; copied != c.copied {
				t.Errorf("%s: copied: %v", c.name, copied)
			}
			if !bytes.Equal(value, want) {
				t.Errorf("%s: the value was written to", c.name)
			}
			if !c.given && !bytes.Equal(value[:cap(value)][len(value):], make([]byte, c.spare)) {
				t.Errorf("%s: what lies behind it was written to", c.name)
			}
			got, err := r.s.Get(nil, key)
			if err != nil || !bytes.Equal(got.Value, want) {
				t.Errorf("%s: %d bytes, %v", c.name, len(got.Value), err)
			}
		}
	}
}
