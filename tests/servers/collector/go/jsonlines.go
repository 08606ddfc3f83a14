package main

// The two ends of a Collector that a test can see into: a receiver that follows a file of OTLP JSON lines, and an
// exporter that writes one. All reading and writing of OTLP JSON is the Collector's own pdata; contrib's
// otlpjsonfile receiver and file exporter are not to be had as modules that fit this core, hence another name.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

var jsonLines = component.MustNewType("otlp_json_lines")

type linesConfig struct {
	Path string `mapstructure:"path"`
}

func (c *linesConfig) Validate() error {
	if c.Path == "" {
		return errors.New("path must be set")
	}
	return nil
}

func linesDefaults() component.Config { return &linesConfig{} }

// linesExporter writes one LogsData object a line, before the sender gets its answer.
type linesExporter struct {
	path string
	mu   sync.Mutex
	file *os.File
	json plog.JSONMarshaler
}

func (e *linesExporter) Start(context.Context, component.Host) (err error) {
	e.file, err = os.OpenFile(e.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

func (e *linesExporter) Shutdown(context.Context) error {
	if e.file == nil {
		return nil
	}
	return e.file.Close()
}

func (e *linesExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (e *linesExporter) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	line, err := e.json.MarshalLogs(logs)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err = e.file.Write(append(line, '\n'))
	return err
}

func newLinesExporter(_ context.Context, _ exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return &linesExporter{path: cfg.(*linesConfig).Path}, nil
}

// linesReceiver reads its file from the beginning of its life on and follows it as it grows; a last line without
// a newline waits for it. It knows no rotation, and starts over when the Collector does.
type linesReceiver struct {
	path   string
	log    *zap.Logger
	next   consumer.Logs
	cancel context.CancelFunc
	done   chan struct{}
}

func (r *linesReceiver) Start(context.Context, component.Host) error {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan struct{})
	go r.follow(ctx)
	return nil
}

func (r *linesReceiver) Shutdown(context.Context) error {
	if r.cancel != nil {
		r.cancel()
		<-r.done
	}
	return nil
}

func (r *linesReceiver) follow(ctx context.Context) {
	defer close(r.done)
	file, err := os.Open(r.path)
	if err != nil {
		r.log.Error("cannot open", zap.Error(err))
		return
	}
	defer file.Close()
	in := bufio.NewReader(file)
	var part []byte
	for number := 1; ; {
		piece, err := in.ReadBytes('\n')
		part = append(part, piece...)
		if err == nil {
			r.line(ctx, number, bytes.TrimSpace(part))
			part, number = nil, number+1
			continue
		}
		if err != io.EOF {
			r.log.Error("cannot read", zap.Error(err))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r *linesReceiver) line(ctx context.Context, number int, line []byte) {
	if len(line) == 0 {
		return
	}
	var un plog.JSONUnmarshaler
	logs, err := un.UnmarshalLogs(line)
	if err != nil {
		r.log.Error("bad line", zap.Int("line", number), zap.Error(err))
		return
	}
	if logs.ResourceLogs().Len() == 0 {
		r.log.Warn("no logs in line", zap.Int("line", number))
		return
	}
	if err := r.next.ConsumeLogs(ctx, logs); err != nil {
		r.log.Error("refused by the pipeline", zap.Int("line", number), zap.Error(err))
	}
}

func newLinesReceiver(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return &linesReceiver{path: cfg.(*linesConfig).Path, log: set.Logger, next: next}, nil
}

func linesReceiverFactory() receiver.Factory {
	return receiver.NewFactory(jsonLines, linesDefaults,
		receiver.WithLogs(newLinesReceiver, component.StabilityLevelDevelopment))
}

func linesExporterFactory() exporter.Factory {
	return exporter.NewFactory(jsonLines, linesDefaults,
		exporter.WithLogs(newLinesExporter, component.StabilityLevelDevelopment))
}
