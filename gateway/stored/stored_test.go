package stored

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnswer(t *testing.T) {
	h := map[string][]string{"Content-Type": {"text/plain"}, "Link": {"a", "", "c"}, "X": {strings.Repeat("y", 300)}}
	v, err := AppendHead([]byte{}, Head{
		Status: 301, InitialAge: 1 << 40, Header: h,
		Terms: Terms{ForCredentials: true, StaleWhileRevalidate: -1, StaleIfError: 90 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	v = append(v, "body"...)
	SetFetch(v, 3*time.Second)
	a, err := Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Terms{ForCredentials: true, StaleWhileRevalidate: -1, StaleIfError: 90 * time.Second}); a.Terms != want {
		t.Errorf("got %+v, want %+v", a.Terms, want)
	}
	if a.Status != 301 || a.InitialAge != 1<<31 || a.Fetch != 3*time.Second || string(a.Body) != "body" {
		t.Errorf("got %+v", a)
	}
	got := map[string][]string{"Already": {"there"}}
	if own, spare := a.CopyTo(got, []byte("own text"), 2); own != "own text" || len(spare) != 2 {
		t.Errorf("own text is %q, with room for %d", own, len(spare))
	}
	delete(got, "Already")
	for name, want := range h {
		if !slices.Equal(got[name], want) || a.Get(name) != want[0] {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != len(h) || a.Get("Absent") != "" {
		t.Errorf("got %v", got)
	}
	// One field must not reach into the next one's memory.
	got["Content-Type"] = append(got["Content-Type"], "more")
	if !slices.Equal(got["Link"], h["Link"]) || got["X"][0] != h["X"][0] {
		t.Error("appending to one field changed another")
	}
	for n := range len(v) - len("body") {
		if _, err := Decode(v[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	other := slices.Clone(v)
	other[0]++
	if _, err := Decode(other); !errors.Is(err, ErrFormat) {
		t.Errorf("another version: %v", err)
	}
}

func TestHeadTooLarge(t *testing.T) {
	if _, err := AppendHead(nil, Head{Status: 200, Header: map[string][]string{"X": {strings.Repeat("y", MaxHead)}}}); err == nil {
		t.Error("a header past the limit was taken")
	}
	if _, err := AppendHead(nil, Head{Status: 99}); err == nil {
		t.Error("status 99 was taken")
	}
}

func TestMarker(t *testing.T) {
	names := []string{"accept-encoding", "origin"}
	id := func(i int) VariantID { return NewVariantID([]byte(fmt.Sprint(i))) }
	var m Marker
	for i := range MaxVariants + 3 {
		m = m.With(names, id(i))
	}
	m = m.With(names, id(10)) // again: it is the youngest now
	for i := range 5 {
		m = m.With(names, id(100+i))
	}
	if len(m.IDs) != MaxVariants || m.Has(id(7)) || !m.Has(id(8)) || !m.Has(id(10)) {
		t.Errorf("%d variants; 7 %t, 8 %t, 10 %t", len(m.IDs), m.Has(id(7)), m.Has(id(8)), m.Has(id(10)))
	}
	v := m.Append(nil)
	got, err := DecodeMarker(v)
	if err != nil || !slices.Equal(got.Names, names) || !slices.Equal(got.IDs, m.IDs) {
		t.Errorf("got %+v, %v", got, err)
	}
	for n := range v {
		if _, err := DecodeMarker(v[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if m = m.With([]string{"other"}, id(1)); len(m.IDs) != 1 {
		t.Errorf("other names kept %d variants", len(m.IDs))
	}
	if IsAnswer(v) || !IsMarker(v) {
		t.Error("a marker is taken for an answer")
	}
}
