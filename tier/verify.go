package tier

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

// Checked is what Verify has seen of a generation directory.
type Checked struct {
	Segments, Records, Bytes int64
	Damaged                  []Damage
}

// Damage is one thing that did not prove itself.
type Damage struct{ File, Detail string }

// Verify authenticates every record of every segment in dir and changes nothing. No Disk may have dir open.
func Verify(dir string, keys *crypto.StageKey, codec Codec) (Checked, error) {
	var c Checked
	entries, err := vfs.OS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), damagedSuffix) {
			c.Damaged = append(c.Damaged, Damage{path, "set aside earlier: it could not be opened"})
			continue
		}
		if id, ok := parseSegmentName(e.Name()); ok {
			c.Segments++
			c.segment(path, id, keys, codec)
		}
	}
	return c, nil
}

func (c *Checked) segment(path string, id uint64, keys *crypto.StageKey, codec Codec) {
	report := func(format string, args ...any) {
		c.Damaged = append(c.Damaged, Damage{path, fmt.Sprintf(format, args...)})
	}
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		report("is empty")
		return
	}
	s := &segment{fs: vfs.OS, id: id, path: path}
	defer s.closeFile(true)
	var listed []batchRef
	var found []batchRef
	err := s.view(func(tx *bolt.Tx, base uintptr, pages *boltPages) (err error) {
		if pages.suspect {
			report("a meta page does not prove itself")
		}
		if s.sealer, err = openSealer(tx, pages, keys, id); err != nil {
			return err
		}
		if content, err := readDictionary(tx, pages, s.sealer); err != nil {
			report("%v", err)
		} else if dc, ok := codec.(DictionaryCodec); ok && content != nil {
			if made := dc.NewDictionary(content); made != nil {
				s.dictionary.Store(&dictionary{Dictionary: made, content: content})
			}
		}
		b, err := bucketIn(tx, pages, bucketFooter)
		if err != nil {
			report("footer: %v", err)
		}
		if b != nil {
			if listed, _, err = openFooter(s.sealer, append([]byte(nil), b.Get(keyValue)...)); err != nil {
				report("footer does not authenticate")
			}
		}
		return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
			if number, ok := parseBatchName(name); ok {
				ref, err := locateIn(tx, base, pages, number)
				if err != nil {
					report("batch %d: %v", number, err)
					return nil
				}
				found = append(found, ref)
			}
			return nil
		})
	})
	if err != nil {
		if !errors.Is(err, errNeverHad) {
			report("%v", err)
		}
		return
	}
	if listed != nil && len(listed) != len(found) {
		report("footer lists %d batches, the file has %d", len(listed), len(found))
	}
	for _, ref := range found {
		c.batch(s, ref, codec, report)
	}
}

func (c *Checked) batch(s *segment, ref batchRef, codec Codec, report func(string, ...any)) {
	x, err := s.readIndex(ref)
	if err != nil {
		report("batch %d: index does not authenticate", ref.number)
		return
	}
	off := ref.off
	for i := range x.entries {
		e := &x.entries[i]
		b := make([]byte, e.size)
		n, err := s.readAt(b, off)
		if err == nil {
			err = checkRecord(s, e, b[:n], codec)
		}
		if err != nil {
			report("batch %d, record %d at offset %d: %v", ref.number, i, off, err)
		} else {
			c.Records++
			c.Bytes += int64(e.size)
		}
		off += int64(e.size)
	}
}

// checkRecord opens a record and compares it with what its batch index says.
func checkRecord(s *segment, e *indexEntry, b []byte, codec Codec) error {
	h, err := parseRecordHeader(b)
	if err != nil {
		return err
	}
	payload, err := openRecord(nil, s.sealer, &h, b)
	if err != nil {
		return fmt.Errorf("does not authenticate: %w", err)
	}
	if h.hash != e.hash || h.seq != e.seq || h.stamp != e.stamp || h.expires != e.expires || h.size() != e.size {
		return fmt.Errorf("is not the record that the index lists: %w", ErrDamaged)
	}
	_, err = decode(codec, s.dictionary.Load(), nil, payload, h.codec, h.blobSize)
	return err
}
