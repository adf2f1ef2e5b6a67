namespace Quire.Cli.Demo;

/// <summary>The recording of a demo: everything, with stacks, in rings large enough for most of a short run.</summary>
internal sealed class DemoRecording : IDisposable
{
    private const long RingBytes = 64 << 20;
    private const long MaximumBytes = 640 << 20;

    private readonly PageTracingSession _session;
    private readonly TextWriter _progress;

    internal DemoRecording(FileInfo file, TextWriter progress)
    {
        _progress = progress;
        _session = PageTracing.Start(new PageTracingOptions
        {
            Path = file.FullName,
            Stacks = true,
            RingBytes = RingBytes,
            MaximumBytes = MaximumBytes,
            Overwrite = true,
        });
    }

    public void Dispose()
    {
        _session.Stop();
        _progress.WriteLine();
        _progress.WriteLine($"recorded: {_session.Written:N0} events{(_session.Lost == 0 ? "" : $", {_session.Lost:N0} of them overwritten")}, to {_session.Path}");
        _progress.WriteLine($"next: quire blame {_session.Path}");
        _progress.WriteLine();
    }
}
