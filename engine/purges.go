package engine

import (
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// Limits of what is remembered.
const (
	maxPurges = 100_000
	// maxPatterns bounds what a read of an old entry has to match one by one. Past it the oldest half is kept as the literal
	// prefix of each, which purges more, never less.
	maxPatterns = 1000
)

// purges answers whether something was purged after a stamp was taken. A stamp is the value of the clock, which every purge
// advances by one; so an entry with a stamp below a purge's number was filled before it.
type purges struct {
	newest atomic.Uint64 // the clock; readers compare it first, and usually that is all

	maxPurges, maxPatterns int // as the constants say; less in tests

	mu       sync.RWMutex
	floor    uint64 // every stamp below is purged
	n        int    // purges remembered
	byKind   [kindPattern]table
	lengths  []int // lengths of the prefixes that are remembered, ascending
	patterns []patternPurge
}

// table is the newest purge of each target, hard and soft.
type table map[string]moments

type moments struct{ hard, soft uint64 }

type patternPurge struct {
	text string
	moments
}

// verdict is what purges say of an entry.
type verdict struct{ hard, soft bool }

// PurgeMode tells a hard purge from a soft one.
type PurgeMode uint8

const (
	Hard PurgeMode = iota // entries are gone
	Soft                  // entries become stale
)

func (m *moments) raise(at uint64, mode PurgeMode) {
	if mode == Soft {
		m.soft = max(m.soft, at)
	} else {
		m.hard = max(m.hard, at)
	}
}

// add remembers purge number at, which must be the newest.
func (p *purges) add(at uint64, t Target, mode PurgeMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.addLocked(at, t, mode)
	p.newest.Store(at)
}

func (p *purges) addLocked(at uint64, t Target, mode PurgeMode) {
	if t.kind == kindPattern {
		i := slices.IndexFunc(p.patterns, func(q patternPurge) bool { return q.text == t.text })
		if i < 0 {
			p.patterns = append(p.patterns, patternPurge{text: t.text})
			i = len(p.patterns) - 1
		}
		p.patterns[i].raise(at, mode)
		if half := p.maxPatterns / 2; len(p.patterns) > p.maxPatterns {
			old := p.patterns[:half]
			p.patterns = slices.Clone(p.patterns[half:])
			for _, q := range old {
				p.addLocked(q.hard, Prefix(literalPrefix(q.text)), Hard)
				p.addLocked(q.soft, Prefix(literalPrefix(q.text)), Soft)
			}
		}
		return
	}
	tab := &p.byKind[t.kind-1]
	if *tab == nil {
		*tab = make(table)
	}
	m := (*tab)[t.text]
	m.raise(at, mode)
	(*tab)[t.text] = m
	if t.kind == kindPrefix {
		if i, found := slices.BinarySearch(p.lengths, len(t.text)); !found {
			p.lengths = slices.Insert(p.lengths, i, len(t.text))
		}
	}
}

// judge says whether an entry with this stamp was purged. key, path and tags are looked up, never scanned for, except patterns.
func (p *purges) judge(stamp uint64, key, path []byte, eachTag func(func([]byte) bool)) (v verdict) {
	if stamp >= p.newest.Load() {
		return v
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if stamp < p.floor {
		return verdict{hard: true}
	}
	see := func(m moments) {
		v.hard = v.hard || m.hard > stamp
		v.soft = v.soft || m.soft > stamp
	}
	see(p.byKind[kindKey-1][string(key)])
	if len(path) > 0 {
		see(p.byKind[kindPath-1][string(path)])
		for _, n := range p.lengths {
			if n > len(path) {
				break
			}
			see(p.byKind[kindPrefix-1][string(path[:n])])
		}
		for _, q := range p.patterns {
			if (q.hard > stamp || q.soft > stamp) && matchPattern(q.text, string(path)) {
				see(q.moments)
			}
		}
	}
	if tags := p.byKind[kindTag-1]; len(tags) > 0 && eachTag != nil {
		eachTag(func(tag []byte) bool {
			see(tags[string(tag)])
			return !v.hard
		})
	}
	return v
}

// mayTouch tells whether anything was purged after stamp that a fill of key and path could depend on. Tags are not known
// before the fill ends, so any purge of a tag counts.
func (p *purges) mayTouch(stamp uint64, key, path []byte) bool {
	if stamp >= p.newest.Load() {
		return false
	}
	if v := p.judge(stamp, key, path, nil); v.hard || v.soft {
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, m := range p.byKind[kindTag-1] {
		if m.hard > stamp || m.soft > stamp {
			return true
		}
	}
	return false
}

// raiseFloor makes every stamp below floor purged and forgets the purges that says nothing new about the rest.
func (p *purges) raiseFloor(floor uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if floor <= p.floor {
		return
	}
	p.floor = floor
	for i := range p.byKind {
		for text, m := range p.byKind[i] {
			if max(m.hard, m.soft) <= floor {
				delete(p.byKind[i], text)
			}
		}
	}
	p.patterns = slices.DeleteFunc(p.patterns, func(q patternPurge) bool { return max(q.hard, q.soft) <= floor })
	seen := make(map[int]bool)
	for text := range p.byKind[kindPrefix-1] {
		seen[len(text)] = true
	}
	p.lengths = p.lengths[:0]
	for n := range seen {
		p.lengths = append(p.lengths, n)
	}
	sort.Ints(p.lengths)
}

// since calls fn for each target purged hard after stamp.
func (p *purges) since(stamp uint64, fn func(Target)) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for i := range p.byKind {
		for text, m := range p.byKind[i] {
			if m.hard > stamp {
				fn(Target{targetKind(i + 1), strings.Clone(text)})
			}
		}
	}
	for _, q := range p.patterns {
		if q.hard > stamp {
			fn(Target{kindPattern, q.text})
		}
	}
}
