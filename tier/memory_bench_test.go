package tier

import (
	"fmt"
	"testing"
)

// BenchmarkMemoryHit is a hit among as many entries as fit, from all processors.
func BenchmarkMemoryHit(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := NewMemory(2 * MemoryStep)
			defer m.Close()
			hashes, blob := make([]Hash, 2*MemoryStep/(size+100)*9/10), make([]byte, size)
			for i := range hashes {
				hashes[i] = hashOf(i)
				_ = m.Put(Record{Hash: hashes[i], Seq: 1, Blob: blob})
			}
			b.ResetTimer()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				room, i := make([]byte, 0, 2*size), 0
				for pb.Next() {
					i = (i + 7919) % len(hashes)
					_, _, _ = m.Get(room, hashes[i])
				}
			})
		})
	}
}

// BenchmarkMemoryPut is a Put of something new when memory is full, half of it asked for.
func BenchmarkMemoryPut(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := NewMemory(MemoryStep)
			defer m.Close()
			blob := make([]byte, size)
			room, hashes := make([]byte, 0, 2*size), make([]Hash, 1<<20/10)
			for i := range hashes {
				hashes[i] = hashOf(i)
			}
			b.ResetTimer()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for i := range b.N {
				_ = m.Put(Record{Hash: hashes[i%len(hashes)], Seq: uint64(i), Blob: blob})
				if i%2 == 0 {
					_, _, _ = m.Get(room, hashes[i%len(hashes)])
				}
			}
		})
	}
}
