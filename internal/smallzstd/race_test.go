//go:build race

package smallzstd

const raceDetector = true
