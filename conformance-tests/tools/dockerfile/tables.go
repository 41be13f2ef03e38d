package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type refused struct {
	Error string `json:"error"`
}

type expanded struct {
	Text  string   `json:"text"`
	Words []string `json:"words"`
}

type heredoc struct {
	Name   string `json:"name"`
	Expand bool   `json:"expand"`
	Tabs   string `json:"tabs"`
}

// wordsRow is what BuildKit makes of a word: ["set", name, value, …] sets a variable of the rows below;
// [how, word, …] reads one as `words`, with the escape "`" as `backtick`, as the `contents` of a heredoc,
// for `display`, or as the announcement of a `heredoc`.
func wordsRow() func([]json.RawMessage) (any, error) {
	var env []string
	return func(cells []json.RawMessage) (any, error) {
		texts, err := texts(cells)
		if err != nil {
			return nil, err
		}
		if texts[0] == "set" {
			env = append(env, texts[1]+"="+texts[2])
			return nil, nil
		}
		word := texts[1]
		lex := shell.NewLex('\\')
		switch texts[0] {
		case "words":
		case "backtick":
			lex = shell.NewLex('`')
		case "contents":
			lex.SkipProcessQuotes = true
		case "display":
			lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true
		case "heredoc":
			found, err := parser.ParseHeredoc(word)
			if err != nil {
				return refused{err.Error()}, nil
			}
			if found == nil {
				return nil, nil
			}
			return heredoc{found.Name, found.Expand, tabs(found.Chomp)}, nil
		default:
			return nil, fmt.Errorf("unknown: %s", texts[0])
		}
		getter := shell.EnvsFromSlice(env)
		result, err := lex.ProcessWordWithMatches(word, getter)
		if err != nil {
			return refused{err.Error()}, nil
		}
		words, err := lex.ProcessWords(word, getter)
		if err != nil {
			return refused{err.Error()}, nil
		}
		if words == nil {
			words = []string{}
		}
		return expanded{result.Result, words}, nil
	}
}

// ignoreRow is what BuildKit makes of a file of patterns: [file] is the patterns in it, [file, path] is
// whether they leave out the path.
func ignoreRow(cells []json.RawMessage) (any, error) {
	texts, err := texts(cells)
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(strings.NewReader(texts[0]))
	if err != nil {
		return refused{err.Error()}, nil
	}
	if len(texts) == 1 {
		if patterns == nil {
			patterns = []string{}
		}
		return patterns, nil
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return refused{err.Error()}, nil
	}
	// As a build walks the context: the folders on the way are asked first. (MatchesOrParentMatches
	// comes to something else where an exception below a folder had nothing to except yet.)
	var info patternmatcher.MatchInfo
	ignored := false
	parts := strings.Split(texts[1], "/")
	for i := range parts {
		ignored, info, err = matcher.MatchesUsingParentResults(strings.Join(parts[:i+1], "/"), info)
		if err != nil {
			return refused{err.Error()}, nil
		}
	}
	return ignored, nil
}

func texts(cells []json.RawMessage) ([]string, error) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		if err := json.Unmarshal(cell, &texts[i]); err != nil {
			return nil, err
		}
	}
	return texts, nil
}
