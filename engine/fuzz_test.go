package engine

import (
	"bytes"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// The parsers are internal, so their fuzz targets are here and not in package fuzz.

// allocates fails if fn takes much more memory than the input's size accounts for.
func allocates(t *testing.T, input int, fn func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if n, most := after.TotalAlloc-before.TotalAlloc, uint64(10*input+64<<10); n > most {
		t.Fatalf("%d bytes of input made it allocate %d", input, n)
	}
}

// FuzzEntry: an entry comes back as it was written; other bytes are taken for one only if every part lies within them.
func FuzzEntry(f *testing.F) {
	f.Add([]byte("value"), []byte("key"), "/path", "tag", "", int64(1), int64(2))
	f.Add([]byte{}, []byte{}, "", "", "", int64(-1), int64(1<<62))
	f.Add(bytes.Repeat([]byte{255}, 100), bytes.Repeat([]byte{0}, 40), strings.Repeat("/x", 50), "a b", strings.Repeat("t", 300), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, value, key []byte, path, tag1, tag2 string, stored, fresh int64) {
		m := Meta{Path: path, Tags: []string{tag1, tag2}}
		if m.check() != nil {
			return
		}
		b := finishBlob(m.base(value, len(key)), key, &m, stored, fresh)
		p, ok := parseBlob(b)
		if !ok || !bytes.Equal(p.value, value) || !bytes.Equal(p.key, key) || string(p.path) != path || p.stored != stored || p.fresh != fresh {
			t.Fatalf("came back as %+v, %v", p, ok)
		}
		var tags []string
		p.eachTag(func(tag []byte) bool { tags = append(tags, string(tag)); return true })
		if len(tags) != 2 || tags[0] != tag1 || tags[1] != tag2 {
			t.Fatalf("tags %q came back as %q", m.Tags, tags)
		}
		// The same bytes cut short, with a byte more, and what a stranger might write.
		for _, b := range [][]byte{b[:len(b)-1], b[1:], append([]byte{1}, b...), value} {
			allocates(t, len(b), func() {
				p, ok := parseBlob(b)
				if !ok {
					return
				}
				if len(p.value)+len(p.key)+len(p.path)+len(p.tags)+fixedSize != len(b) || !bytes.HasPrefix(b, p.value) {
					t.Fatalf("%x was taken for an entry: %+v", b, p)
				}
				n := 0
				p.eachTag(func(tag []byte) bool { n += 2 + len(tag); return true })
				if n > len(p.tags) {
					t.Fatalf("%d bytes of tags in %d", n, len(p.tags))
				}
			})
		}
	})
}

// FuzzPurge: what is read as a purge is exactly what writing it gives.
func FuzzPurge(f *testing.F) {
	for _, t := range []Target{Key([]byte("k")), Tag("t"), Path("/"), Prefix("/a"), Pattern("/*/b*")} {
		f.Add(appendPurge(nil, t, Hard))
		f.Add(appendPurge(nil, t, Soft))
	}
	f.Add([]byte{})
	f.Add([]byte{1, 0})
	f.Add([]byte{0, 0, 'x'})
	f.Add([]byte{6, 2, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var target Target
		var mode PurgeMode
		var err error
		allocates(t, len(b), func() { target, mode, err = parsePurge(b) })
		if err != nil {
			if !errors.Is(err, errPurgeList) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if got := appendPurge(nil, target, mode); !bytes.Equal(got, b) {
			t.Fatalf("%x came back as %x", b, got)
		}
		// Whatever was stored can be remembered, judged and counted by.
		p := newPurgeList("", nil, nil)
		p.add(1, target, mode)
		p.judge(0, []byte(target.text), []byte(target.text), func(fn func([]byte) bool) { fn([]byte(target.text)) })
		target.label()
	})
}

// FuzzPattern: a pattern that is accepted matches what its regular expression matches, and nothing that the prefix does not which it
// collapses to.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"/*/b", "/a/b"}, {"/a/*", "/a/"}, {"/a*", "/ab/c"}, {"*", ""}, {"/*/*", "//"}, {"/a/*/c*", "/a/b/cd/e"}, {"/*", "x"}, {"//*", "//"}, {"**", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		target := Pattern(pattern)
		if len(pattern)+len(path) > 300 {
			return // the expression takes their product
		}
		if target.check() != nil || strings.Contains(path, "\n") || strings.Contains(pattern, "\n") {
			return // in a regular expression, a dot does not match it
		}
		rest, open := strings.CutSuffix(pattern, "*")
		expr := "^" + strings.ReplaceAll(regexp.QuoteMeta(rest), `\*`, `[^/]+`)
		if open {
			expr += ".*"
		}
		re, err := regexp.Compile(expr + "$")
		if err != nil {
			return // bytes that are no text
		}
		got := matchPattern(pattern, path)
		if want := re.MatchString(path); got != want {
			t.Fatalf("pattern %q, path %q: %v; by its expression %v", pattern, path, got, want)
		}
		if got && !strings.HasPrefix(path, literalPrefix(pattern)) {
			t.Fatalf("pattern %q matches %q, its prefix %q does not", pattern, path, literalPrefix(pattern))
		}
	})
}

// FuzzCodec: what is packed comes back, and nothing unpacks to more or less than was asked for.
func FuzzCodec(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(bytes.Repeat([]byte("text "), 100), 500)
	packed, _ := zstdCodec{}.Encode(nil, bytes.Repeat([]byte("text "), 100_000))
	f.Add(packed, 500_000)
	f.Add(packed, 100)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x7f}, 1000) // claims to be 2 GiB
	dict := zstdCodec{}.NewDictionary(bytes.Repeat([]byte(`{"id":1,"name":"text",`), 100))
	f.Add(dict.Encode(nil, []byte(`{"id":1,"name":"text","more":"text text text text text"}`)), 56)
	f.Add(dict.Encode(nil, bytes.Repeat([]byte("text "), 20_000)), 100_000)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		size = min(max(size, 0), 1<<20)
		out, err := dict.Decode([]byte("dst"), b, size)
		if err == nil && len(out) != 3+size || err != nil && string(out) != "dst" || !bytes.HasPrefix(out, []byte("dst")) {
			t.Fatalf("dictionary: %d bytes instead of %d, %v", len(out)-3, size, err)
		}
		if out, err := dict.Decode(nil, dict.Encode([]byte("pre"), b)[3:], len(b)); err != nil || !bytes.Equal(out, b) {
			t.Fatalf("dictionary: %v", err)
		}
		for how := range uint8(3) {
			out, err := zstdCodec{}.Decode([]byte("dst"), b, how, size)
			if err == nil && len(out) != 3+size || err != nil && string(out) != "dst" || !bytes.HasPrefix(out, []byte("dst")) {
				t.Fatalf("codec %d: %d bytes instead of %d, %v", how, len(out)-3, size, err)
			}
		}
		packed, how := zstdCodec{}.Encode([]byte("pre"), b)
		out, err = zstdCodec{}.Decode(nil, packed[3:], how, len(b))
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("codec %d: %v", how, err)
		}
	})
}
