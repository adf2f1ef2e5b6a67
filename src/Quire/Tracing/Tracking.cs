namespace Quire;

/// <summary>The flags that hot paths test before they touch the ledger or a ring.</summary>
/// <remarks>
/// Fields in a class without initialisers: a class with a static constructor would put an initialisation check beside every test of them. Written
/// only by the ledger and by <c>PageTracing</c>; read without a fence, since a reference taken while a switch is on its way is merely
/// untracked. Each is a constant, and the code behind it gone, where tracing is switched away (<see cref="TracingSupport"/>).
/// </remarks>
internal static class Tracking
{
    private static bool s_active;
    private static bool s_counting;
    private static bool s_recording;
    private static bool s_stacks;
    private static bool s_selective;

    /// <summary>The ledger is on: a reference taken gets a record.</summary>
    internal static bool Active
    {
        get => TracingSupport.IsSupported && s_active;
        set => s_active = value;
    }

    /// <summary>Every operation on a count is an event, those on references without a ticket too. Off while a recording is sampled.</summary>
    internal static bool Counting
    {
        get => TracingSupport.IsSupported && s_counting;
        set => s_counting = value;
    }

    /// <summary>A recording runs: events go to the rings.</summary>
    internal static bool Recording
    {
        get => TracingSupport.IsSupported && s_recording;
        set => s_recording = value;
    }

    /// <summary>Who takes and drops references is recorded with the whole stack, not the call site alone.</summary>
    internal static bool Stacks
    {
        get => TracingSupport.IsSupported && s_stacks;
        set => s_stacks = value;
    }

    /// <summary>Not every reference is recorded: a recording is sampled or filtered.</summary>
    internal static bool Selective
    {
        get => TracingSupport.IsSupported && s_selective;
        set => s_selective = value;
    }
}
