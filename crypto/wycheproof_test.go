package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
)

// Known answers of Project Wycheproof, given to the functions that the package itself uses, not to the standard library.
// Each test asserts how many vectors it ran, so that none falls out unseen when the module is updated.

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*h, err = hex.DecodeString(s)
	return err
}

type vector struct {
	ID                int `json:"tcId"`
	Comment, Result   string
	Key, IV, AAD, Msg hexBytes
	CT, Tag           hexBytes
	IKM, Salt, Info   hexBytes
	Size              int
	OKM               hexBytes
}

func (v vector) valid() bool { return v.Result == "valid" }

type vectorGroup struct {
	KeySize, IVSize, TagSize int // bits
	Tests                    []vector
}

func vectors(t *testing.T, file string, want int) []vectorGroup {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		NumberOfTests int
		TestGroups    []vectorGroup
	}
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range set.TestGroups {
		n += len(g.Tests)
		for _, v := range g.Tests {
			if v.Result != "valid" && v.Result != "invalid" {
				t.Fatalf("vector %d: result %q is neither", v.ID, v.Result)
			}
		}
	}
	if n != want || set.NumberOfTests != want {
		t.Fatalf("%s holds %d vectors, %d expected", file, n, want)
	}
	return set.TestGroups
}

// tally counts what was done with the vectors of a file.
type tally map[string]int

func (c tally) want(t *testing.T, want tally) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(c)) {
		t.Logf("%4d %s", c[name], name)
	}
	if !maps.Equal(c, want) {
		t.Errorf("counted %v, want %v", c, want)
	}
}

func join(parts ...hexBytes) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestWycheproofAESGCM(t *testing.T) {
	count := tally{}
	for _, g := range vectors(t, "aes_gcm_test.json", 316) {
		for _, v := range g.Tests {
			record := join(v.IV, v.CT, v.Tag) // the layout of Seal
			if g.KeySize != 256 {
				// Keys of 128 and 192 bits are none of ours, and must not get in.
				if _, err := newAEAD(v.Key); err == nil {
					t.Errorf("vector %d: a key of %d bits was accepted", v.ID, g.KeySize)
				}
				count[fmt.Sprintf("refused: key of %d bits", g.KeySize)]++
				continue
			}
			s, err := newSealer(v.Key, make([]byte, KeySize), [16]byte{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Open([]byte("dst"), record, v.AAD)
			if g.IVSize != 96 || g.TagSize != 128 {
				// Another size of nonce cannot be said in our records: such a one must not authenticate by chance.
				if !errors.Is(err, ErrAuth) || string(got) != "dst" {
					t.Errorf("vector %d: nonce of %d bits: %q, %v", v.ID, g.IVSize, got, err)
				}
				count["refused: nonce of other than 96 bits"]++
				continue
			}
			switch {
			case v.valid() && (err != nil || !bytes.Equal(got, join(hexBytes("dst"), v.Msg))):
				t.Errorf("vector %d (%s): %x, %v", v.ID, v.Comment, got, err)
			case !v.valid() && (!errors.Is(err, ErrAuth) || string(got) != "dst"):
				t.Errorf("vector %d (%s) must not open: %x, %v", v.ID, v.Comment, got, err)
			}
			if v.valid() {
				// The nonce of Seal is its own, so the other way round is proved by opening: with this key and this data only.
				sealed, err := s.Seal(nil, v.Msg, v.AAD)
				if err != nil || bytes.Equal(sealed[:nonceSize], v.IV) {
					t.Errorf("vector %d: sealed with the nonce of the vector: %v", v.ID, err)
				}
				if back, err := s.Open(nil, sealed, v.AAD); err != nil || !bytes.Equal(back, v.Msg) {
					t.Errorf("vector %d: sealed, it does not open: %v", v.ID, err)
				}
			}
			count["opened or refused as the vector says"]++
		}
	}
	count.want(t, tally{
		"opened or refused as the vector says": 66,
		"refused: nonce of other than 96 bits": 39,
		"refused: key of 128 bits":             108,
		"refused: key of 192 bits":             103,
	})
}

func TestWycheproofGMAC(t *testing.T) {
	count := tally{}
	for _, g := range vectors(t, "aes_gmac_test.json", 414) {
		for _, v := range g.Tests {
			if g.KeySize != 256 {
				if _, err := newAEAD(v.Key); err == nil {
					t.Errorf("vector %d: a key of %d bits was accepted", v.ID, g.KeySize)
				}
				count[fmt.Sprintf("refused: key of %d bits", g.KeySize)]++
				continue
			}
			s, err := newSealer(make([]byte, KeySize), v.Key, [16]byte{})
			if err != nil {
				t.Fatal(err)
			}
			// The vectors know nothing of our framing of aad and plaintext, so they go to the AEAD below it.
			_, err = s.protect.Open(nil, nil, join(v.IV, v.Tag), v.Msg)
			if g.IVSize != 96 {
				if err == nil {
					t.Errorf("vector %d: nonce of %d bits was accepted", v.ID, g.IVSize)
				}
				count["refused: nonce of other than 96 bits"]++
				continue
			}
			if (err == nil) != v.valid() {
				t.Errorf("vector %d (%s): %v", v.ID, v.Comment, err)
			}
			if _, err := s.Verify(nil, join(v.Msg, v.IV, v.Tag), nil); err == nil {
				t.Errorf("vector %d: a tag over an unframed text passes for one of ours", v.ID)
			}
			count["verified or refused as the vector says"]++
		}
	}
	count.want(t, tally{
		"verified or refused as the vector says": 69,
		"refused: nonce of other than 96 bits":   69,
		"refused: key of 128 bits":               138,
		"refused: key of 192 bits":               138,
	})
}

func TestWycheproofHKDF(t *testing.T) {
	count := tally{}
	for _, g := range vectors(t, "hkdf_sha256_test.json", 86) {
		for _, v := range g.Tests {
			okm, err := derive(v.IKM, v.Salt, string(v.Info), v.Size)
			if v.valid() && (err != nil || !bytes.Equal(okm, v.OKM)) {
				t.Errorf("vector %d (%s): %x, %v", v.ID, v.Comment, okm, err)
			}
			if !v.valid() && err == nil {
				t.Errorf("vector %d (%s): %d bytes were derived", v.ID, v.Comment, v.Size)
			}
			count["derived or refused as the vector says"]++
		}
	}
	count.want(t, tally{"derived or refused as the vector says": 86})
}

func TestWycheproofHMAC(t *testing.T) {
	count := tally{}
	for _, g := range vectors(t, "hmac_sha256_test.json", 174) {
		for _, v := range g.Tests {
			var got []byte
			switch g.TagSize {
			case 128: // the hash of a key on the disk
				h := newHasher(v.Key).Sum(v.Msg)
				got = h[:]
			case 256:
				mac := newMAC(v.Key)
				mac.Write(v.Msg)
				got = mac.Sum(nil)
			default:
				t.Fatalf("vector %d: tag of %d bits", v.ID, g.TagSize)
			}
			if bytes.Equal(got, v.Tag) != v.valid() {
				t.Errorf("vector %d (%s): %x", v.ID, v.Comment, got)
			}
			count[fmt.Sprintf("tag of %d bits", g.TagSize)]++
		}
	}
	count.want(t, tally{"tag of 128 bits": 87, "tag of 256 bits": 87})
}
