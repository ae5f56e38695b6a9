package tier

import "time"

// Records are kept apart by how long they will be kept, so that a whole segment expires at about one time and is unlinked.
const classes = 4

var classSpans = [classes]time.Duration{60 * time.Second, 300 * time.Second, 3600 * time.Second, 24 * time.Hour}

// classOf is the class for something kept for another ms milliseconds. The last has no upper end.
func classOf(ms int64) int {
	for c := range classes - 1 {
		if ms <= classSpans[c].Milliseconds() {
			return c
		}
	}
	return classes - 1
}

// A stream is what is written to one active segment at a time. The main part has one for each class, whose number it has, and so has the
// entrance (entrance.go).
const streams = 2 * classes

func entranceOf(class int) (stream int) { return classes + class }

func inEntrance(stream int) bool { return stream >= classes }

// sealAge is how long a segment of a stream is written to: a quarter of its class, so that the last record of a segment does
// not hold up the first for long.
func sealAge(stream int) time.Duration { return classSpans[stream%classes] / 4 }
