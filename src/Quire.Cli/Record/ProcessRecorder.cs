using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Diagnostics.NETCore.Client;

namespace Quire.Cli.Record;

/// <summary>Records in a process that runs: starts and stops the recording through the process's diagnostics port, and hears from its event source how that goes.</summary>
/// <remarks>
/// The events themselves do not come this way: the process writes them into the file. The source answers with <c>RecordingStarted</c> or <c>RecordingFailed</c>, tells once a second how far it
/// is, and ends with <c>RecordingStopped</c>; each bears this call's request, since another tool may listen too.
/// </remarks>
internal sealed class ProcessRecorder : IDisposable
{
    private const string Provider = "Quire";
    private static readonly TimeSpan s_answerTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_endTime = TimeSpan.FromSeconds(60);

    private readonly int _processId;
    private readonly RecordRequest _request;
    private readonly Action<string> _progress;
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly DiagnosticsClient _client;
    private readonly BlockingCollection<NettraceEvent> _events = [];
    private EventPipeSession? _session;

    internal ProcessRecorder(int processId, RecordRequest request, Action<string> progress)
    {
        _processId = processId;
        _request = request;
        _progress = progress;
        _client = new DiagnosticsClient(processId);
    }

    /// <summary>Records until the time is up, the process ends, or the token says so.</summary>
    /// <exception cref="RecordException">Nothing was recorded; says why.</exception>
    internal RecordResult Run(CancellationToken end)
    {
        Dictionary<string, string> arguments = _request.Settings();
        arguments[TracingCommands.Request] = _id;
        if (_request.Duration is { } duration)
        {
            arguments[TracingCommands.Duration] = duration.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        }

        _session = Open(arguments);
        new Thread(() => Listen(_session.EventStream)) { IsBackground = true, Name = "diagnostics" }.Start();

        string path = WaitForStart(end);
        return WaitForEnd(path, end);
    }

    public void Dispose()
    {
        if (_session is { } session)
        {
            try
            {
                // The source's disable command: nothing is left running, whatever happened here.
                session.Stop();
            }
            catch (Exception gone) when (gone is IOException or SocketException or ServerNotAvailableException or TimeoutException or EndOfStreamException)
            {
                // The process has ended.
            }

            session.Dispose();
        }
    }

    private EventPipeSession Open(Dictionary<string, string> arguments)
    {
        Dictionary<string, string> encoded = arguments.ToDictionary(static pair => pair.Key, static pair => TracingSettings.Encode(pair.Value));
        try
        {
            EventPipeProvider provider = new(Provider, EventLevel.Verbose, (long)QuireEventSource.Keywords.Recording, encoded);
            return _client.StartEventPipeSession(provider, requestRundown: false, circularBufferMB: 1);
        }
        catch (Exception failed) when (failed is SocketException or ServerNotAvailableException or ServerErrorException or IOException or TimeoutException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            throw new RecordException(IsThere()
                ? $"process {_processId} is no .NET process of yours, or its diagnostics port is switched off (DOTNET_EnableDiagnostics=0): {failed.Message.ReplaceLineEndings(" ")}"
                : $"there is no process {_processId}.");
        }
    }

    private string WaitForStart(CancellationToken end)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!end.IsCancellationRequested && waited.Elapsed < s_answerTime && !_events.IsCompleted)
        {
            if (!TryNext(out int id, out SpanReader fields))
            {
                continue;
            }

            string path = fields.Text();
            if (id == QuireEventSource.Ids.RecordingStarted)
            {
                _progress($"recording process {_processId} to {path}");
                return path;
            }

            if (id == QuireEventSource.Ids.RecordingFailed)
            {
                throw new RecordException($"process {_processId}: {fields.Text()}");
            }
        }

        throw new RecordException(
            end.IsCancellationRequested ? "interrupted before the recording began."
            : _events.IsCompleted ? $"process {_processId} ended before the recording began."
            : $"process {_processId} did not answer within {s_answerTime.TotalSeconds:0} s: there is no Quire in it, or it has made no page allocator yet.");
    }

    private RecordResult WaitForEnd(string path, CancellationToken end)
    {
        // The process ends it by itself when the time is up. Should it not, it is told to.
        Stopwatch ran = Stopwatch.StartNew();
        Stopwatch? stopping = null;
        long events = 0;
        long lost = 0;
        while (!_events.IsCompleted && (stopping is null || stopping.Elapsed < s_endTime))
        {
            if (stopping is null && (end.IsCancellationRequested || ran.Elapsed > _request.Duration + s_answerTime))
            {
                stopping = Stopwatch.StartNew();
                Stop();
            }

            if (!TryNext(out int id, out SpanReader fields))
            {
                continue;
            }

            _ = fields.Text();
            events = fields.Int64();
            lost = fields.Int64();
            if (id == QuireEventSource.Ids.RecordingStopped)
            {
                double milliseconds = fields.Double();
                string error = fields.Text();
                return new RecordResult(path, events, lost, TimeSpan.FromMilliseconds(milliseconds), error.Length == 0 ? [] : [error]);
            }

            _progress($"{ran.Elapsed.TotalSeconds:0} s: {events:N0} events, {lost:N0} lost");
        }

        string how = _events.IsCompleted
            ? "the process ended while it was recorded"
            : "the process did not say that the recording has ended";
        return new RecordResult(path, events, lost, ran.Elapsed, [how]);
    }

    /// <summary>Ends the recording of this request by a second session's enable command, so that this one still hears how it ended.</summary>
    private void Stop()
    {
        try
        {
            Dictionary<string, string> stop = new() { [TracingCommands.StopRequest] = _id };
            EventPipeProvider provider = new(Provider, EventLevel.Error, (long)QuireEventSource.Keywords.Recording, stop);
            using EventPipeSession session = _client.StartEventPipeSession(provider, requestRundown: false, circularBufferMB: 1);
            Task drained = session.EventStream.CopyToAsync(Stream.Null);
            session.Stop();
            drained.Wait(s_answerTime);
        }
        catch (Exception gone) when (gone is IOException or SocketException or ServerNotAvailableException or ServerErrorException or TimeoutException or AggregateException)
        {
            // The process is ending; its recording ends with it.
        }
    }

    /// <summary>The next event about this request; false when there was none for a moment.</summary>
    private bool TryNext(out int id, out SpanReader fields)
    {
        if (_events.TryTake(out NettraceEvent next, millisecondsTimeout: 100) && next.Provider == Provider
            && next.Id is QuireEventSource.Ids.RecordingStarted or QuireEventSource.Ids.RecordingStopped or QuireEventSource.Ids.RecordingFailed or QuireEventSource.Ids.RecordingProgress)
        {
            id = next.Id;
            fields = new SpanReader(next.Payload);
            return fields.Text() == _id;
        }

        id = 0;
        fields = default;
        return false;
    }

    private void Listen(Stream stream)
    {
        try
        {
            foreach (NettraceEvent next in new NettraceReader(stream).Read())
            {
                _events.Add(next);
            }
        }
        catch (InvalidDataException wrong)
        {
            _progress($"what the process says can't be read: {wrong.Message}");
        }
        finally
        {
            _events.CompleteAdding();
        }
    }

    private bool IsThere()
    {
        try
        {
            using Process process = Process.GetProcessById(_processId);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // Somebody else's.
            return true;
        }
    }
}
