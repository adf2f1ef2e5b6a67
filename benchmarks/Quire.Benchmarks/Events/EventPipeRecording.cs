using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;

namespace Quire.Benchmarks.Events;

/// <summary>
/// A recording of <see cref="ReferenceEvents"/> by the runtime's own way, as <c>dotnet-trace</c> makes it: a session over the diagnostics port, here with
/// this process, and a thread that copies its stream to a file.
/// </summary>
/// <remarks>The buffer is the largest one that the row can fill before the thread gets to it, so that what is measured is the writing of events and not the losing of them.</remarks>
internal sealed class EventPipeRecording : IDisposable
{
    private const int BufferMegabytes = 512;

    private readonly string _path;
    private readonly EventPipeSession _session;
    private readonly Thread _drain;
    private bool _stopped;

    /// <param name="folder">Where the file goes.</param>
    /// <param name="stacks">Each event with the stack of who wrote it, which is what a session has unless it asks for less.</param>
    /// <param name="absent">Why there is none, where null is returned.</param>
    public static EventPipeRecording? TryStart(string folder, bool stacks, out string absent)
    {
        absent = "";
        try
        {
            return new EventPipeRecording(folder, stacks);
        }
        catch (Exception failure) when (failure is DiagnosticsClientException or System.Net.Sockets.SocketException or IOException or TimeoutException)
        {
            absent = $"EventPipe: ABSENT, no session with this process ({failure.Message})";
            return null;
        }
    }

    private EventPipeRecording(string folder, bool stacks)
    {
        _path = Path.Combine(folder, "events.nettrace");
        DiagnosticsClient client = new(Environment.ProcessId);
        EventPipeProvider provider = new(ReferenceEvents.SourceName, EventLevel.Informational);
        EventPipeSessionConfiguration configuration = new([provider], BufferMegabytes, requestRundown: false, requestStackwalk: stacks);
        _session = client.StartEventPipeSessionAsync(configuration, CancellationToken.None).GetAwaiter().GetResult();
        _drain = new Thread(Drain) { IsBackground = true, Name = "event pipe" };
        _drain.Start();
        if (!SpinWait.SpinUntil(ReferenceEvents.Log.IsEnabled, TimeSpan.FromSeconds(5)))
        {
            throw new TimeoutException("the session did not enable its event source");
        }
    }

    /// <summary>Ends the recording, reads it back, and says how many events it has and lacks.</summary>
    public string Account()
    {
        Stop();
        long seen = 0;
        using EventPipeEventSource source = new(_path);
        source.Dynamic.All += told => seen += told.ProviderName == ReferenceEvents.SourceName ? 1 : 0;
        source.Process();
        return $"{seen:N0} events in its file, {source.EventsLost:N0} lost";
    }

    public void Dispose()
    {
        Stop();
        _session.Dispose();
    }

    private void Stop()
    {
        if (!_stopped)
        {
            _stopped = true;
            _session.Stop();
            _drain.Join();
        }
    }

    private void Drain()
    {
        using FileStream file = File.Create(_path);
        _session.EventStream.CopyTo(file);
    }
}
