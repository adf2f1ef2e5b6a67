namespace Quire;

/// <summary>Writes what is so at one moment: the holders on record, the pages that somebody holds. One thread at a time.</summary>
internal sealed unsafe class TraceSnapshot : IDisposable
{
    internal void Write<T>(Tracepoint id, ref T e) where T : unmanaged => throw new NotImplementedException();

    /// <summary>All is written.</summary>
    internal void Complete() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
