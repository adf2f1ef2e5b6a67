namespace Quire.Tests.Tracing.Rings;

/// <summary>A folder of its own for a test's recordings.</summary>
internal sealed class RecordingFolder : IDisposable
{
    internal string Path { get; } = Directory.CreateTempSubdirectory("quire-rings-").FullName;

    internal string this[string name] => System.IO.Path.Combine(Path, name);

    internal TraceFileOptions Options => new() { Path = this["a.qring"], RingBytes = 64 << 10, MaximumBytes = 16 << 20 };

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
