namespace Quire.Cli.Demo;

/// <summary>The recording of a demo: everything, with stacks, in rings large enough for most of a short run.</summary>
internal sealed class DemoRecording : IDisposable
{
    private const long RingBytes = 64 << 20;
    private const long MaximumBytes = 640 << 20;

    private readonly PageTracingSession _session;

    internal DemoRecording(FileInfo file) => _session = PageTracing.Start(new PageTracingOptions
    {
        Path = file.FullName,
        Stacks = true,
        RingBytes = RingBytes,
        MaximumBytes = MaximumBytes,
        Overwrite = true,
    });

    /// <summary>Ends it; returns what was recorded, and what to do with it.</summary>
    internal string End()
    {
        _session.Stop();
        string lost = _session.Lost == 0 ? "" : $", of which {_session.Lost:N0} were overwritten";
        return $"{Environment.NewLine}recorded: {_session.Written:N0} events{lost}, to {_session.Path}{Environment.NewLine}next: quire blame {_session.Path}{Environment.NewLine}";
    }

    public void Dispose() => _session.Dispose();
}
