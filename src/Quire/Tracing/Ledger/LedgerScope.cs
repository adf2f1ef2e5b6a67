namespace Quire;

/// <summary>The leak scope that the calling code runs in; records carry it, so that parallel tests do not see each other's leaks.</summary>
/// <remarks>
/// A scope flows with the asynchronous call like any <see cref="AsyncLocal{T}"/>. Reading one costs tens of nanoseconds,
/// so its change handler, which runs on every thread that enters or leaves such a flow, keeps a copy in a thread static: that is
/// what a take reads.
/// </remarks>
internal static class LedgerScope
{
    /// <summary>The copy; 0 outside all scopes. Written by the handler only.</summary>
    [ThreadStatic]
    internal static uint t_current;

    /// <summary>The scope of the calling flow.</summary>
    internal static int Current
    {
        get => (int)t_current;
        set => Flow.Value.Value = (uint)value;
    }

    /// <summary>A scope number that no other has; never 0.</summary>
    internal static int New()
    {
        // Happens before: nothing; a counter. A process would need two thousand million scopes to see one twice.
        int scope = Atomic.Add(ref Flow.Last, 1) & int.MaxValue;
        return scope == 0 ? New() : scope;
    }

    // Apart from the thread static, which a take reads, so that reading it needs no check for these initialisers.
    private static class Flow
    {
        internal static readonly AsyncLocal<uint> Value = new(change => t_current = change.CurrentValue);
        internal static int Last;
    }
}
