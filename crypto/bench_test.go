package crypto

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkHasher(b *testing.B) {
	h := NewStageKey("prod").Hasher()
	for _, n := range []int{32, 100, 300} {
		key := bytes.Repeat([]byte{'k'}, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Sum(key)
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	s := testSealer(b)
	s.limit = 1 << 62
	aad := make([]byte, 80)
	for _, n := range []int{1 << 10, 16 << 10} {
		plaintext := make([]byte, n)
		for _, k := range both {
			record, err := k.make(s, nil, plaintext, aad)
			if err != nil {
				b.Fatal(err)
			}
			var made, text []byte
			b.Run(fmt.Sprintf("%s/%dKiB", k.name, n>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(n))
				for b.Loop() {
					made, _ = k.make(s, made[:0], plaintext, aad)
				}
			})
			b.Run(fmt.Sprintf("un%s/%dKiB", k.name, n>>10), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(n))
				for b.Loop() {
					if text, err = k.open(s, text[:0], record, aad); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	s := NewStageKey("prod")
	h, _ := mustSegment(b, s, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.OpenSegment(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeriveRootKey(b *testing.B) {
	salt := make([]byte, SaltSize)
	for b.Loop() {
		if _, err := DeriveRootKey([]byte("correct horse battery"), salt); err != nil {
			b.Skip("needs a run without GODEBUG=fips140=only: ", err)
		}
	}
}
