package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"time"
)

// compact streams progress. A client that goes away, or stops reading, ends the compaction; that loses no data.
func (h *handler) compact(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		writeNotAllowed(w, r, http.MethodPost)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	type outcome struct {
		last CompactProgress
		err  error
	}
	stage := r.PathValue("s")
	latest := make(chan CompactProgress, 1)
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { // this goroutine has nobody above it to catch a panic
			if p := recover(); p != nil {
				h.log("panic in a compaction", "stage", stage, "panic", p, "stack", string(debug.Stack()))
				o.err = errors.New("internal error; see the gateway's log")
			}
			ended <- o
		}()
		o.last, o.err = h.svc.Compact(ctx, stage, func(p CompactProgress) {
			select { // only the newest counts, and the work never waits for whoever watches it
			case <-latest:
			default:
			}
			latest <- p
		})
	}()

	stream := lineWriter{w: w, c: http.NewResponseController(w)}
	last := CompactProgress{Stage: stage}
	repeat := time.NewTicker(progressEvery)
	defer repeat.Stop()
	for {
		select {
		case p := <-latest:
			if p.Done { // the outcome is what tells that it is done
				continue
			}
			last = p
			stream.write(progressLine{CompactProgress: last})
		case <-repeat.C:
			stream.write(progressLine{CompactProgress: last})
		case o := <-ended:
			switch {
			case o.err == nil:
				stream.write(progressLine{CompactProgress: o.last})
			case stream.begun:
				stream.write(progressLine{CompactProgress: o.last, errorBody: bodyOf(o.err), Status: statusOf(o.err)})
			default:
				h.fail(w, r, o.err)
			}
			return
		}
		if stream.err != nil {
			cancel()
			<-ended
			return
		}
	}
}

// lineWriter sends one JSON object per line, at once.
type lineWriter struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	begun bool
	err   error
}

func (l *lineWriter) write(v any) {
	if l.err != nil {
		return
	}
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
	}
	b, err := json.Marshal(v)
	if err != nil {
		l.err = err
		return
	}
	l.c.SetWriteDeadline(time.Now().Add(answerWriting))
	if _, l.err = l.w.Write(append(b, '\n')); l.err == nil {
		l.err = l.c.Flush()
	}
}
