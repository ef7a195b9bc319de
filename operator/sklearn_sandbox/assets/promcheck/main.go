// Promcheck judges alert rules and queries with Prometheus' own parser, engine and templates.
//
//	promcheck parse            reads expressions as a JSON list, says which metrics and labels each of them asks for
//	promcheck test FILE...     runs unit tests in promtool's format; annotations count where a test names them
//
// It is promtool without service discovery and cloud clients, which are most of what promtool takes to build. What is its
// own is the state of an alert: active since it is first seen, firing once "for" has passed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"gopkg.in/yaml.v3"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "parse" {
		exit(parse())
	}
	if len(os.Args) > 2 && os.Args[1] == "test" {
		var problems []error
		for _, name := range os.Args[2:] {
			problems = append(problems, testFile(name)...)
		}
		exit(errors.Join(problems...))
	}
	exit(errors.New("usage: promcheck parse | promcheck test FILE..."))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type selector struct {
	Metric string   `json:"metric"`
	Labels []string `json:"labels"`
}

func parse() error {
	var expressions []string
	if err := json.NewDecoder(os.Stdin).Decode(&expressions); err != nil {
		return err
	}
	found := [][]selector{}
	for _, text := range expressions {
		expression, err := parser.ParseExpr(text)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		selectors := []selector{}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			if vector, ok := node.(*parser.VectorSelector); ok {
				one := selector{Metric: vector.Name, Labels: []string{}}
				for _, matcher := range vector.LabelMatchers {
					if matcher.Name != labels.MetricName {
						one.Labels = append(one.Labels, matcher.Name)
					}
				}
				selectors = append(selectors, one)
			}
			return nil
		})
		found = append(found, selectors)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

// The part of promtool's test format that is about alerts.
type file struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []test         `yaml:"tests"`
}

type test struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Alerts []expectation `yaml:"alert_rule_test"`
}

type expectation struct {
	At       model.Duration `yaml:"eval_time"`
	Name     string         `yaml:"alertname"`
	Expected []firing       `yaml:"exp_alerts"`
}

type firing struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func testFile(name string) []error {
	content, err := os.Open(name)
	if err != nil {
		return []error{err}
	}
	defer content.Close()
	decoder := yaml.NewDecoder(content)
	decoder.KnownFields(true)
	var told file
	if err := decoder.Decode(&told); err != nil {
		return []error{fmt.Errorf("%s: %w", name, err)}
	}
	rules, problems := alerts(filepath.Dir(name), told.RuleFiles)
	tried := map[string]bool{}
	for _, one := range told.Tests {
		series, err := one.series()
		if err != nil {
			return append(problems, fmt.Errorf("%s: %w", one.Name, err))
		}
		for _, expected := range one.Alerts {
			rule, known := rules[expected.Name]
			if !known {
				problems = append(problems, fmt.Errorf("%s: there is no alert %s", one.Name, expected.Name))
				continue
			}
			tried[expected.Name] = tried[expected.Name] || len(expected.Expected) > 0
			got, err := evaluate(rule, series, time.Duration(expected.At), time.Duration(told.EvaluationInterval))
			if err == nil {
				err = compare(expected.Expected, got)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %s at %s: %w", one.Name, expected.Name, expected.At, err))
			}
		}
	}
	for alert := range rules {
		if !tried[alert] {
			problems = append(problems, fmt.Errorf("%s: no test lets %s fire", name, alert))
		}
	}
	return problems
}

func alerts(folder string, names []string) (map[string]rulefmt.Rule, []error) {
	found := map[string]rulefmt.Rule{}
	var problems []error
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(folder, name)
		}
		groups, errs := rulefmt.ParseFile(name, false, model.UTF8Validation)
		problems = append(problems, errs...)
		if groups == nil {
			continue
		}
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				if rule.Alert == "" || rule.KeepFiringFor != 0 || found[rule.Alert].Alert != "" {
					problems = append(problems, fmt.Errorf("%s: not an alert of its own name without keep_firing_for", rule.Expr))
				}
				found[rule.Alert] = rule
			}
		}
	}
	return found, problems
}

type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

func (t test) series() ([]storage.Series, error) {
	var found []storage.Series
	for _, told := range t.InputSeries {
		set, values, err := parser.ParseSeriesDesc(told.Series + " " + told.Values)
		if err != nil {
			return nil, err
		}
		var samples []chunks.Sample
		for index, value := range values {
			if !value.Omitted {
				at := int64(index) * time.Duration(t.Interval).Milliseconds()
				samples = append(samples, sample{at, value.Value})
			}
		}
		found = append(found, storage.NewListSeries(set, samples))
	}
	return found, nil
}

type set struct {
	series []storage.Series
	next   int
}

func (s *set) Next() bool         { s.next++; return s.next <= len(s.series) }
func (s *set) At() storage.Series { return s.series[s.next-1] }
func (s *set) Err() error         { return nil }

func (s *set) Warnings() annotations.Annotations { return nil }

func queryable(all []storage.Series) storage.Queryable {
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			var chosen []storage.Series
			for _, one := range all {
				fits := true
				for _, matcher := range matchers {
					fits = fits && matcher.Matches(one.Labels().Get(matcher.Name))
				}
				if fits {
					chosen = append(chosen, one)
				}
			}
			return &set{series: chosen}
		},
	}}
}

func evaluate(rule rulefmt.Rule, series []storage.Series, until, step time.Duration) ([]firing, error) {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute})
	query := func(text string, at time.Time) (promql.Vector, error) {
		asked, err := engine.NewInstantQuery(context.Background(), queryable(series), nil, text, at)
		if err != nil {
			return nil, err
		}
		defer asked.Close()
		answer := asked.Exec(context.Background())
		if answer.Err != nil {
			return nil, answer.Err
		}
		return answer.Vector()
	}
	since := map[string]time.Time{}
	var firings []firing
	for at := time.Unix(0, 0).UTC(); at.Sub(time.Unix(0, 0)) <= until; at = at.Add(step) {
		found, err := query(rule.Expr, at)
		if err != nil {
			return nil, err
		}
		firings = nil
		active := map[string]time.Time{}
		for _, one := range found {
			key := one.Metric.String()
			active[key] = at
			if began, known := since[key]; known {
				active[key] = began
			}
			if at.Sub(active[key]) >= time.Duration(rule.For) {
				told, err := expanded(rule, one, at, query)
				if err != nil {
					return nil, err
				}
				firings = append(firings, told)
			}
		}
		since = active
	}
	return firings, nil
}

type querying = func(string, time.Time) (promql.Vector, error)

func expanded(rule rulefmt.Rule, one promql.Sample, at time.Time, query querying) (firing, error) {
	own := map[string]string{}
	one.Metric.Range(func(label labels.Label) {
		if label.Name != labels.MetricName {
			own[label.Name] = label.Value
		}
	})
	data := template.AlertTemplateData(own, nil, "", one)
	expand := func(texts map[string]string) (map[string]string, error) {
		done := map[string]string{}
		for name, text := range texts {
			text = "{{$labels := .Labels}}{{$value := .Value}}" + text
			asking := func(_ context.Context, text string, at time.Time) (promql.Vector, error) { return query(text, at) }
			moment := model.TimeFromUnixNano(at.UnixNano())
			expander := template.NewTemplateExpander(
				context.Background(), text, rule.Alert, data, moment, asking, &url.URL{}, []string{"missingkey=error"},
			)
			result, err := expander.Expand()
			if err != nil {
				return nil, err
			}
			done[name] = result
		}
		return done, nil
	}
	added, err := expand(rule.Labels)
	if err != nil {
		return firing{}, err
	}
	words, err := expand(rule.Annotations)
	if err != nil {
		return firing{}, err
	}
	maps.Copy(own, added)
	return firing{own, words}, nil
}

func compare(expected, got []firing) error {
	wanted, found := shown(expected, nil), shown(got, expected)
	if wanted != found {
		return fmt.Errorf("expected\n%s\n  but there is\n%s", wanted, found)
	}
	return nil
}

// Of the annotations those that the test names.
func shown(all, asked []firing) string {
	var lines []string
	for index, one := range all {
		named := one.Annotations
		if asked != nil {
			named = nil
			if index < len(asked) {
				named = asked[index].Annotations
			}
		}
		words := map[string]string{}
		for name := range named {
			words[name] = one.Annotations[name]
		}
		text, _ := json.Marshal([]any{one.Labels, words})
		lines = append(lines, "    "+string(text))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}
