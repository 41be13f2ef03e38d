// What BuildKit makes of Dockerfiles, words and patterns, with BuildKit's own packages, written as the
// expectations in builder/corpus:
//
//	go run ./dockerfile DIR OUT
//
// reads DIR/*.dockerfile, DIR/images/*.dockerfile, DIR/words.jsonl and DIR/ignore.jsonl and writes the
// expectations to OUT, which may be DIR.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: dockerfile DIR OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "dockerfile:", err)
		os.Exit(1)
	}
}

func run(dir, out string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.dockerfile"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".dockerfile") + ".expected"
		if err := os.WriteFile(filepath.Join(out, name), []byte(outcome(text)), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(out, "images"), 0o755); err != nil {
		return err
	}
	if err := images(filepath.Join(dir, "images"), filepath.Join(out, "images")); err != nil {
		return err
	}
	if err := table(dir, out, "words.jsonl", wordsRow()); err != nil {
		return err
	}
	return table(dir, out, "ignore.jsonl", ignoreRow)
}

// A table has a JSON array on each line; its last element is the outcome of the others.
func table(dir, out, name string, row func([]json.RawMessage) (any, error)) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	var written bytes.Buffer
	for number, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		var cells []json.RawMessage
		if err := json.Unmarshal([]byte(line), &cells); err != nil {
			return fmt.Errorf("%s line %d: %w", name, number+1, err)
		}
		inputs := cells[:len(cells)-1]
		outcome, err := row(inputs)
		if err != nil {
			return fmt.Errorf("%s line %d: %w", name, number+1, err)
		}
		written.WriteByte('[')
		for _, cell := range inputs {
			written.Write(cell)
			written.WriteString(", ")
		}
		encoder := json.NewEncoder(&written)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(outcome); err != nil {
			return err
		}
		written.Truncate(written.Len() - 1)
		written.WriteString("]\n")
	}
	return os.WriteFile(filepath.Join(out, name), written.Bytes(), 0o644)
}
