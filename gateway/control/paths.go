package control

import "path/filepath"

// StagesDir is the folder that holds one directory per stage.
func StagesDir(dataDir string) string { return filepath.Join(dataDir, "stages") }

// StageDir is the directory of one stage's store.
func StageDir(dataDir, stage string) string { return filepath.Join(StagesDir(dataDir), stage) }
