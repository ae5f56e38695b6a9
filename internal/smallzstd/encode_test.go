package smallzstd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// decoder is another's: what it makes of a frame is what the frame says.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	return d
})

// check packs src and has it unpacked; it returns the size of the frame, 0 if there is none.
func check(t *testing.T, src []byte) int {
	t.Helper()
	before := bytes.Clone(src)
	out, ok := Append([]byte("before"), src)
	if !bytes.Equal(src, before) {
		t.Fatalf("src was changed")
	}
	if string(out[:6]) != "before" || !ok && len(out) != 6 {
		t.Fatalf("dst came back as %d bytes beginning with %q, %v", len(out), out[:6], ok)
	}
	if !ok {
		return 0
	}
	if len(out)-6 >= len(src) {
		t.Fatalf("%d bytes became %d", len(src), len(out)-6)
	}
	got, err := decoder().DecodeAll(out[6:], make([]byte, 0, len(src)))
	if err != nil || !bytes.Equal(got, src) {
		t.Fatalf("%d bytes came back as %d, %v\n%x", len(src), len(got), err, src)
	}
	return len(out) - 6
}

// product is JSON as an API might send it, of about n bytes.
func product(r *rand.Rand, n int) []byte {
	type variant struct {
		SKU   string  `json:"sku"`
		Color string  `json:"color"`
		Price float64 `json:"price"`
		Stock bool    `json:"in_stock"`
	}
	words := strings.Fields("amber birch copper dawn ember frost gr\u00fcn harbor iris jade kettle linen maple n\u00e9on ocean pearl quartz river \u6728 stone")
	var all []variant
	for {
		b, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		if len(b) >= n {
			return b[:n]
		}
		all = append(all, variant{fmt.Sprintf("%08X", r.Uint32()), words[r.IntN(len(words))] + " " + words[r.IntN(len(words))], float64(r.IntN(1e5)) / 100, r.IntN(3) > 0})
	}
}

func TestValuesComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n, symbols int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(symbols))
		}
		return b
	}
	kinds := map[string]func(n int) []byte{
		"json":        func(n int) []byte { return product(r, n) },
		"random":      func(n int) []byte { return random(n, 256) },
		"few symbols": func(n int) []byte { return random(n, 3) },
		"half a byte": func(n int) []byte { return random(n, 16) },
		"7 bits":      func(n int) []byte { return random(n, 128) },
		"one symbol":  func(n int) []byte { return bytes.Repeat([]byte{9}, n) },
		"a pattern":   func(n int) []byte { return bytes.Repeat([]byte("abcdefg"), n/7+1)[:n] },
		"far repeat":  func(n int) []byte { h := random(n/2, 256); return append(h, h...) },
		"skewed":      func(n int) []byte { return skewed(r, n) },
		"high symbols": func(n int) []byte {
			b := random(n, 20)
			for i := range b {
				b[i] += 230
			}
			return b
		},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			for n := 0; n <= MaxSize; n += 1 + n/9 {
				check(t, kind(n))
			}
			check(t, kind(MaxSize))
		})
	}
}

// skewed has symbols each of which is about 1.6 times as frequent as the next: no distribution makes deeper trees.
func skewed(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		for b[i] < 40 && r.IntN(1000) < 382 {
			b[i]++
		}
	}
	return b
}

// Literals alone, in an order that no matcher shortens: what the tree does at its limits is seen whole.
func TestLiteralsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	fibonacci := func(symbols int) (b []byte) {
		for i, x, y := 0, 1, 1; i < symbols; i, x, y = i+1, y, x+y {
			b = append(b, bytes.Repeat([]byte{byte(i * 5)}, x)...)
		}
		r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		return b
	}
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	mostly := func(b []byte) []byte { return append(bytes.Repeat([]byte{0}, 1200), b...) } // or coding would not pay
	for name, lits := range map[string][]byte{
		"deeper than codes may be": fibonacci(16), "just as deep": fibonacci(12), "two symbols": append(bytes.Repeat([]byte{1}, 99), 200),
		"all symbols": mostly(all), "all but the last": mostly(all[:255]), "few of 256": append(bytes.Repeat([]byte{0, 255}, 50), 17),
		"first 129": mostly(all[:129]), "one stream": fibonacci(14)[:1023], "four streams": fibonacci(15)[:1024], "ones": all,
	} {
		t.Run(name, func(t *testing.T) {
			frame := binary.LittleEndian.AppendUint32(nil, magic)
			frame = append(frame, single|1<<6)
			size := uint16(len(lits) - 256)
			if len(lits) < 256 {
				frame[4], size = single, uint16(len(lits))
				frame = append(frame, byte(size))
			} else {
				frame = binary.LittleEndian.AppendUint16(frame, size)
			}
			block := appendSequences(new(huffman).appendLiterals(nil, lits), nil)
			head := uint32(lastBlock | compressed | len(block)<<3)
			frame = append(append(frame, byte(head), byte(head>>8), byte(head>>16)), block...)
			got, err := decoder().DecodeAll(frame, make([]byte, 0, len(lits)))
			if err != nil || !bytes.Equal(got, lits) {
				t.Fatalf("%d literals in a block of %d came back as %d, %v", len(lits), len(block), len(got), err)
			}
		})
	}
}

// What a value takes is no worse than what the library's fastest level makes of it by more than 5 %, over values of a size.
func TestSizeBesideTheLibrary(t *testing.T) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range []int{300, 600, 1000, 1250, MaxSize} {
		ours, theirs := 0, 0
		for range 200 {
			v := product(r, size)
			n := check(t, v)
			if n == 0 {
				t.Fatalf("a value of %d bytes was not packed", size)
			}
			ours, theirs = ours+n, theirs+len(e.EncodeAll(v, nil))
		}
		t.Logf("%d bytes: %d, the library %d", size, ours/200, theirs/200)
		if float64(ours) > 1.05*float64(theirs) {
			t.Errorf("values of %d bytes take %d, the library makes %d of them", size, ours/200, theirs/200)
		}
	}
}

func TestTooLarge(t *testing.T) {
	if out, ok := Append([]byte("dst"), make([]byte, MaxSize+1)); ok || string(out) != "dst" {
		t.Errorf("%d bytes, %v", len(out), ok)
	}
}

func TestManyAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(k), 7))
			for range 200 {
				v := product(r, r.IntN(MaxSize))
				out, ok := Append(nil, v)
				if !ok {
					continue
				}
				if got, err := decoder().DecodeAll(out, make([]byte, 0, len(v))); err != nil || !bytes.Equal(got, v) {
					t.Errorf("%d bytes came back as %d, %v", len(v), len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAppendDoesNotAlloc(t *testing.T) {
	if raceDetector {
		t.Skip("needs a run without the race detector: it makes pools forget on purpose")
	}
	v := product(rand.New(rand.NewPCG(8, 9)), 1200)
	dst := make([]byte, 0, 8<<10)
	if n := testing.AllocsPerRun(200, func() { Append(dst, v) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAppend: whatever is packed comes back, and dst is left alone where nothing is.
func FuzzAppend(f *testing.F) {
	r := rand.New(rand.NewPCG(10, 11))
	f.Add([]byte{})
	f.Add(product(r, 200))
	f.Add(product(r, 1000))
	f.Add(product(r, MaxSize))
	f.Add(bytes.Repeat([]byte{7}, 500))
	f.Add(skewed(r, 1200))
	f.Fuzz(func(t *testing.T, src []byte) { check(t, src) })
}

// BenchmarkAppend is measured beside the library's fastest level.
func BenchmarkAppend(b *testing.B) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(12, 13))
	for _, size := range []int{256, 1024, MaxSize} {
		var vs [][]byte
		for range 512 {
			vs = append(vs, product(r, size))
		}
		for name, pack := range map[string]func(dst, src []byte) []byte{
			"ours":    func(dst, src []byte) []byte { dst, _ = Append(dst, src); return dst },
			"library": func(dst, src []byte) []byte { return e.EncodeAll(src, dst) },
		} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(size))
				var room []byte
				packed, n := 0, 0
				for b.Loop() {
					room = pack(room[:0], vs[n%len(vs)])
					packed += len(room)
					n++
				}
				b.ReportMetric(float64(packed)/float64(n)/float64(size), "ratio")
			})
		}
	}
}
