namespace Quire;

/// <summary>One recording: its file, the rings of its threads, its dictionary. At most one runs in a process.</summary>
internal sealed unsafe class TraceSession : IDisposable
{
    internal static TraceSession? Current => throw new NotImplementedException();

    internal string Path => throw new NotImplementedException();

    internal long Written => throw new NotImplementedException();

    internal long Lost => throw new NotImplementedException();

    internal static TraceSession Start(TraceFileOptions options) => throw new NotImplementedException();

    internal TraceSnapshot BeginSnapshot(SnapshotKind kind) => throw new NotImplementedException();

    internal void Stop() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
