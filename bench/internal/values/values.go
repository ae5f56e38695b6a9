package values

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Source gives a value for every number.
type Source struct {
	Name string // for the report

	pool [][]byte
	idAt int // where a generated value holds its number; -1: values repeat as they are
}

// There are up to poolMost different generated values besides their numbers, and of large ones as many as poolBytes hold, for what the
// pool takes of memory is not the measured store's.
const (
	poolMost  = 1024
	poolBytes = 16 << 20
)

func poolSize(size int) int { return min(max(poolBytes/size, 8), poolMost) }

const idDigits = 16

// Generate makes a source of JSON objects of exactly size bytes, at least 256.
func Generate(size int) *Source {
	s := &Source{Name: fmt.Sprintf("generated JSON of %d bytes", size)}
	r := rand.New(rand.NewPCG(1, uint64(size))) // not secret: every process has to make the same
	for range poolSize(size) {
		v := product(r, size)
		s.pool = append(s.pool, v)
		s.idAt = bytes.Index(v, []byte(strings.Repeat("0", idDigits)))
	}
	return s
}

var words = strings.Fields(`able amber anchor apple arch basin bell birch blue bolt brass bright broad bronze brush cabin candle
	canvas cedar chain chalk cherry clay clear cliff cloud coast copper coral cotton crest crisp crown curve dawn deep delta
	dune dusk east ember even fern field fine flint forest frame fresh frost garden gentle glass gold grain granite green grove
	harbor hazel heavy hollow honey iron island ivory jade kettle lake lantern leaf light linen lodge long lunar maple marble
	meadow mellow mint mist moss narrow night noble north oak ocean olive orchard paper pearl pebble pine plain polar quartz
	quiet rain raven reed ridge river rose rust sand satin shade sharp shore silk silver slate small smooth snow solar south
	spruce steel stone storm summit tall teak thin tidal timber valley velvet vine violet warm wave west wheat wide willow wind
	winter wool`)

func product(r *rand.Rand, size int) []byte {
	some := func(n int) string {
		out := make([]string, n)
		for i := range out {
			out[i] = words[r.IntN(len(words))]
		}
		return strings.Join(out, " ")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":"%s","sku":"%08X","name":"%s","price":{"amount":%d.%02d,"currency":"EUR"},"in_stock":%t,"quantity":%d,`,
		strings.Repeat("0", idDigits), r.Uint32(), some(3), r.IntN(900)+1, r.IntN(100), r.IntN(4) > 0, r.IntN(500))
	fmt.Fprintf(&b, `"updated_at":"2026-%02d-%02dT%02d:%02d:%02dZ","etag":"%016x",`, r.IntN(12)+1, r.IntN(28)+1, r.IntN(24), r.IntN(60), r.IntN(60), r.Uint64())
	b.WriteString(`"variants":[`)
	for first := true; ; first = false {
		variant := fmt.Sprintf(`{"sku":"%06d","color":"%s","size":"%s","price":{"amount":%d.%02d,"currency":"EUR"},"in_stock":%t}`,
			r.IntN(1e6), some(1), []string{"S", "M", "L", "XL"}[r.IntN(4)], r.IntN(900)+1, r.IntN(20)*5, r.IntN(4) > 0)
		if b.Len()+len(variant) > size*2/3 {
			break
		}
		if !first {
			b.WriteByte(',')
		}
		b.WriteString(variant)
	}
	b.WriteString(`],"description":"`)
	for n := size - b.Len() - len(`"}`); n > 0; {
		w := words[r.IntN(len(words))] + " "
		w = w[:min(n, len(w))]
		b.WriteString(w)
		n -= len(w)
	}
	b.WriteString(`"}`)
	return b.Bytes()
}

// Load reads every JSON file below a folder. An error says why there is none to be had.
func Load(dir string) (*Source, error) {
	s := &Source{idAt: -1}
	total := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(name) != ".json" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !json.Valid(data) {
			return fmt.Errorf("%s holds no valid JSON", name)
		}
		s.pool = append(s.pool, data)
		total += len(data)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if len(s.pool) == 0 {
		return nil, fmt.Errorf("corpus %s: %w", dir, errors.New("no file ends in .json"))
	}
	s.Name = fmt.Sprintf("%d JSON files of a corpus, %d bytes on average", len(s.pool), total/len(s.pool))
	return s, nil
}

// Append appends the value of number i.
func (s *Source) Append(dst []byte, i uint64) []byte {
	start := len(dst)
	dst = append(dst, s.pool[i%uint64(len(s.pool))]...)
	if s.idAt >= 0 {
		const hex = "0123456789abcdef"
		id := dst[start+s.idAt : start+s.idAt+idDigits]
		for at := idDigits - 1; at >= 0; at-- {
			id[at] = hex[i&15]
			i >>= 4
		}
	}
	return dst
}

// Is tells whether v is the value of number i.
func (s *Source) Is(v []byte, i uint64) bool {
	want := s.pool[i%uint64(len(s.pool))]
	if s.idAt < 0 {
		return bytes.Equal(v, want)
	}
	if len(v) != len(want) || !bytes.Equal(v[:s.idAt], want[:s.idAt]) || !bytes.Equal(v[s.idAt+idDigits:], want[s.idAt+idDigits:]) {
		return false
	}
	var room [idDigits]byte
	id := fmt.Appendf(room[:0], "%016x", i)
	return bytes.Equal(v[s.idAt:s.idAt+idDigits], id)
}

// Mean is the average size of a value.
func (s *Source) Mean() float64 {
	n := 0
	for _, v := range s.pool {
		n += len(v)
	}
	return float64(n) / float64(len(s.pool))
}
