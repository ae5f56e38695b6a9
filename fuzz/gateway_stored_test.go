package fuzz

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"stagecache/gateway/stored"
)

// storedSeeds are an answer, one without anything, a marker, and what is nearly one of them.
func storedSeeds(f *testing.F) [][]byte {
	full, err := stored.AppendHead(nil, stored.Head{
		Status: 200, InitialAge: 17, Terms: stored.Terms{ForCredentials: true, StaleIfError: -1, StaleWhileRevalidate: time.Hour},
		Header: map[string][]string{"Content-Type": {"text/plain"}, "Link": {"a", "", "b"}, "Etag": {`"x"`}},
	})
	if err != nil {
		f.Fatal(err)
	}
	full = append(full, "the body"...)
	stored.SetFetch(full, 250*time.Millisecond)
	bare, err := stored.AppendHead(nil, stored.Head{Status: 404})
	if err != nil {
		f.Fatal(err)
	}
	marker := stored.Marker{Names: []string{"accept-encoding", "origin"}, IDs: []stored.VariantID{{1}, {2}}}.Append(nil)
	long := slices.Clone(full)
	long[19] = 0xff // the length of the fields
	many := slices.Clone(full)
	many[17] = 0xff // their number
	return [][]byte{full, bare, marker, long, many, full[:10], marker[:len(marker)-1], {2, 'A'}, {2, 'V', 255, 255}, {}}
}

func FuzzGatewayStoredAnswer(f *testing.F) {
	seeds := storedSeeds(f)
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := stored.Decode(value)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(value, a.Body) {
			t.Fatal("the body is not the end of the value")
		}
		h := make(map[string][]string)
		a.CopyTo(h, nil, 0)
		for name, v := range h {
			if name == "" || a.Get(name) != v[0] {
				t.Fatalf("%q is %q, Get says %q", name, v, a.Get(name))
			}
		}
		// What was read can be written and read again. The order of fields and the length of numbers may change.
		again, err := stored.AppendHead(nil, stored.Head{Status: a.Status, Terms: a.Terms, InitialAge: a.InitialAge, Header: h})
		if err != nil {
			if len(value) <= stored.MaxHead {
				t.Fatalf("cannot be written again: %v", err)
			}
			return
		}
		again = append(again, a.Body...)
		stored.SetFetch(again, a.Fetch)
		b, err := stored.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		h2 := make(map[string][]string)
		b.CopyTo(h2, nil, 0)
		if b.Status != a.Status || b.Terms != a.Terms || b.InitialAge != a.InitialAge || b.Fetch != a.Fetch ||
			!bytes.Equal(b.Body, a.Body) || !maps.EqualFunc(h, h2, slices.Equal) {
			t.Fatalf("%+v became %+v", a, b)
		}
	})
}

func FuzzGatewayStoredMarker(f *testing.F) {
	for _, s := range storedSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := stored.DecodeMarker(value)
		if err != nil {
			return
		}
		again, err := stored.DecodeMarker(m.Append(nil))
		if err != nil || !slices.Equal(again.Names, m.Names) || !slices.Equal(again.IDs, m.IDs) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
		id := stored.NewVariantID(value)
		next := m.With(m.Names, id)
		if !next.Has(id) || len(next.IDs) > stored.MaxVariants {
			t.Fatalf("%d variants after one was added", len(next.IDs))
		}
		if _, err := stored.Decode(value); err == nil {
			t.Fatal("a marker is an answer, too")
		}
	})
}
