package fuzz

import (
	"testing"

	"stagecache/gateway/policy"
)

func FuzzPolicyRange(f *testing.F) {
	for _, s := range []string{
		"", "bytes=0-499", "bytes=-500", "bytes=9500-", "bytes=0-0,-1", "bytes=5-4", "bytes=-0", "items=0-1", "bytes=0-5,5-9",
		"bytes=99999999999999999999-", "bytes= 1-2 ,, 3-", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", "bytes=--1", "bytes",
	} {
		f.Add(s, int64(10))
	}
	f.Add("bytes=0-", int64(0))
	f.Add("bytes=0-9223372036854775807", int64(1<<63-1))
	f.Add("bytes=0-1", int64(-1))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		ranges, verdict := policy.ParseRange(header, size)
		if (verdict == policy.Satisfiable) != (len(ranges) > 0) || len(ranges) > 8 || size < 0 && verdict != policy.Ignore {
			t.Fatalf("%q of %d: %v %v", header, size, ranges, verdict)
		}
		sum := int64(0)
		for i, r := range ranges {
			if r.Start < 0 || r.Length <= 0 || r.Start > size-r.Length {
				t.Fatalf("%q of %d: %v is outside", header, size, r)
			}
			if sum += r.Length; sum > size {
				t.Fatalf("%q of %d: more bytes than there are: %v", header, size, ranges)
			}
			for _, o := range ranges[:i] {
				if r.Start < o.Start+o.Length && o.Start < r.Start+r.Length {
					t.Fatalf("%q of %d: %v and %v overlap", header, size, o, r)
				}
			}
		}
	})
}

func FuzzPolicyContentRange(f *testing.F) {
	for _, s := range []string{
		"bytes 0-4/10", "bytes 4-9/10", "bytes 2-5/10", "bytes 0-9/10", "bytes */10", "bytes 0-4/*", "bytes 5-4/10", "bytes 0-10/10",
		"BYTES 0-4/10", "items 0-4/10", "bytes 0-4", "bytes 999999999999999999-9999999999999999999/1", "bytes=0-4/10", "",
	} {
		f.Add(s, `"a"`)
	}
	f.Add("bytes 0-4/10", `W/"a"`)
	f.Fuzz(func(t *testing.T, header, tag string) {
		p, ok := policy.ParseContentRange([]string{header})
		if !ok {
			return
		}
		if p.First < 0 || p.First > p.Last || p.Last >= p.Size {
			t.Fatalf("%q: %+v is outside", header, p)
		}
		rest, ok := policy.RestOf(p, policy.Validators{ETag: tag})
		if !ok {
			return
		}
		m := rest.Missing
		if m.Size != p.Size || m.First > m.Last || m.First != p.Last+1 && p.First != m.Last+1 || m.Last-m.First+1+p.Last-p.First+1 != p.Size {
			t.Fatalf("%q: %+v does not make %+v whole", header, m, p)
		}
		h := map[string][]string{}
		rest.Ask(h)
		if ranges, verdict := policy.ParseRange(h["Range"][0], p.Size); verdict != policy.Satisfiable || ranges[0].Start != m.First || ranges[0].Length != m.Last-m.First+1 {
			t.Fatalf("%q: asks for %v", header, h)
		}
	})
}
