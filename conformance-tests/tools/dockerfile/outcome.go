package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

var (
	prefix     = regexp.MustCompile(`^dockerfile parse error on line \d+: `)
	suggestion = regexp.MustCompile(` \(did you mean [^)]*\?\)$`)
)

// outcome is the tree and the instructions of a Dockerfile, or what is wrong with it.
func outcome(text []byte) string {
	if len(text) == 0 {
		return "error line 1: the Dockerfile cannot be empty\n"
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return failure(err)
	}
	stages, arguments, err := instructions.Parse(result.AST, nil)
	if err != nil {
		return failure(err)
	}
	if len(stages) == 0 {
		return failure(parser.WithLocation(
			errors.New("dockerfile contains no stages to build"),
			result.AST.Children[len(result.AST.Children)-1].Location()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "escape %c\n", result.EscapeToken)
	b.WriteString(result.AST.Dump())
	b.WriteByte('\n')
	env := shell.EnvsFromSlice(nil)
	lex := shell.NewLex(result.EscapeToken)
	expand := func(word string) (string, error) {
		expanded, _, err := lex.ProcessWord(word, env)
		return expanded, err
	}
	for _, a := range arguments {
		instruction(&b, &a, expand)
	}
	for _, s := range stages {
		fmt.Fprintf(&b, "%s FROM base=%q name=%q platform=%q description=%q text=%q\n",
			lines(s.Location), s.BaseName, s.Name, s.Platform, s.DocComment, s.SourceCode)
		for _, c := range s.Commands {
			instruction(&b, c, expand)
		}
	}
	return b.String()
}

// failure is an error with its lines, without the name of the nearest known word.
func failure(err error) string {
	message := suggestion.ReplaceAllString(prefix.ReplaceAllString(err.Error(), ""), "")
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 {
		return fmt.Sprintf("error %s: %s\n", lines(located.Locations[0]), message)
	}
	return fmt.Sprintf("error: %s\n", message)
}

func lines(ranges []parser.Range) string {
	first, last := ranges[0].Start.Line, ranges[0].End.Line
	for _, r := range ranges {
		first, last = min(first, r.Start.Line), max(last, r.End.Line)
	}
	if first == last {
		return fmt.Sprintf("line %d", first)
	}
	return fmt.Sprintf("lines %d to %d", first, last)
}

func instruction(b *strings.Builder, c instructions.Command, expand instructions.SingleWordExpander) {
	fmt.Fprintf(b, "%s %s", lines(c.Location()), strings.ToUpper(c.Name()))
	switch c := c.(type) {
	case *instructions.AddCommand:
		paths(b, c.SourcesAndDest)
		fmt.Fprintf(b, " chown=%q chmod=%q checksum=%q link=%t exclude=%q keep-git-dir=%s unpack=%s",
			c.Chown, c.Chmod, c.Checksum, c.Link, c.ExcludePatterns, choice(c.KeepGitDir), choice(c.Unpack))
	case *instructions.CopyCommand:
		paths(b, c.SourcesAndDest)
		fmt.Fprintf(b, " from=%q chown=%q chmod=%q link=%t exclude=%q parents=%t",
			c.From, c.Chown, c.Chmod, c.Link, c.ExcludePatterns, c.Parents)
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			fmt.Fprintf(b, " %q", a.Key)
			if a.Value != nil {
				fmt.Fprintf(b, "=%q", *a.Value)
			}
			if a.DocComment != "" {
				fmt.Fprintf(b, " description=%q", a.DocComment)
			}
		}
	case *instructions.CmdCommand:
		command(b, c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		command(b, c.ShellDependantCmdLine)
	case *instructions.EnvCommand:
		pairs(b, c.Env)
	case *instructions.LabelCommand:
		pairs(b, c.Labels)
	case *instructions.ExposeCommand:
		fmt.Fprintf(b, " %q", c.Ports)
	case *instructions.HealthCheckCommand:
		h := c.Health
		fmt.Fprintf(b, " %q interval=%d timeout=%d start-period=%d start-interval=%d retries=%d",
			h.Test, h.Interval, h.Timeout, h.StartPeriod, h.StartInterval, h.Retries)
	case *instructions.MaintainerCommand:
		fmt.Fprintf(b, " %q", c.Maintainer)
	case *instructions.OnbuildCommand:
		fmt.Fprintf(b, " %q", c.Expression)
	case *instructions.RunCommand:
		command(b, c.ShellDependantCmdLine)
		fmt.Fprintf(b, " network=%s security=%s", instructions.GetNetwork(c), instructions.GetSecurity(c))
		for _, d := range instructions.GetDevices(c) {
			fmt.Fprintf(b, " device=%q required=%t", d.Name, d.Required)
		}
		for _, m := range instructions.GetMounts(c) {
			fmt.Fprintf(b, " mount-from=%q", m.From)
		}
		mounts(b, c, expand)
	case *instructions.ShellCommand:
		fmt.Fprintf(b, " %q", c.Shell)
	case *instructions.StopSignalCommand:
		fmt.Fprintf(b, " %q", c.Signal)
	case *instructions.UserCommand:
		fmt.Fprintf(b, " %q", c.User)
	case *instructions.VolumeCommand:
		fmt.Fprintf(b, " %q", c.Volumes)
	case *instructions.WorkdirCommand:
		fmt.Fprintf(b, " %q", c.Path)
	default:
		panic(fmt.Sprintf("an unknown instruction: %T", c))
	}
	if s, ok := c.(fmt.Stringer); ok {
		fmt.Fprintf(b, " text=%q", s.String())
	}
	b.WriteByte('\n')
}

func command(b *strings.Builder, c instructions.ShellDependantCmdLine) {
	form := "exec"
	if c.PrependShell {
		form = "shell"
	}
	fmt.Fprintf(b, " %s %q", form, c.CmdLine)
	for _, f := range c.Files {
		fmt.Fprintf(b, " file=%q content=%q tabs=%s", f.Name, f.Data, tabs(f.Chomp))
	}
}

func tabs(chomp bool) string {
	if chomp {
		return "remove"
	}
	return "keep"
}

func choice(value *bool) string {
	if value == nil {
		return "unset"
	}
	return fmt.Sprint(*value)
}

func pairs(b *strings.Builder, pairs instructions.KeyValuePairs) {
	for _, p := range pairs {
		fmt.Fprintf(b, " %q=%q", p.Key, p.Value)
	}
}

func paths(b *strings.Builder, p instructions.SourcesAndDest) {
	fmt.Fprintf(b, " %q to %q", p.SourcePaths, p.DestPath)
	for _, c := range p.SourceContents {
		fmt.Fprintf(b, " file=%q content=%q expand=%t", c.Path, c.Data, c.Expand)
	}
}

// mounts are read again with their variables replaced, none of which is set.
func mounts(b *strings.Builder, c *instructions.RunCommand, expand instructions.SingleWordExpander) {
	if err := c.Expand(expand); err != nil {
		fmt.Fprintf(b, " mounts refused: %s", suggestion.ReplaceAllString(err.Error(), ""))
		return
	}
	for _, m := range instructions.GetMounts(c) {
		fmt.Fprintf(b, " mount=%s from=%q source=%q target=%q read-only=%t size=%d id=%q sharing=%q required=%t",
			m.Type, m.From, m.Source, m.Target, m.ReadOnly, m.SizeLimit, m.CacheID, string(m.CacheSharing), m.Required)
		if m.Env != nil {
			fmt.Fprintf(b, " env=%q", *m.Env)
		}
		if m.Mode != nil {
			fmt.Fprintf(b, " mode=%o", *m.Mode)
		}
		if m.UID != nil {
			fmt.Fprintf(b, " uid=%d", *m.UID)
		}
		if m.GID != nil {
			fmt.Fprintf(b, " gid=%d", *m.GID)
		}
	}
}
