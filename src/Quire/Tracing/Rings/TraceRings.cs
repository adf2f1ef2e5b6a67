namespace Quire;

/// <summary>Where events go: each thread writes into a ring of its own.</summary>
internal static unsafe class TraceRings
{
    /// <summary>Writes an event; see contract.</summary>
    internal static void Write<T>(Tracepoint id, ref T e) where T : unmanaged => throw new NotImplementedException();
}
