namespace Quire.Traces.Analysis;

/// <summary>What an event did to a page's count.</summary>
internal enum RefOp : byte
{
    /// <summary>Nothing: it was refused, or added 0.</summary>
    None,

    /// <summary>The count was set: a page's first references.</summary>
    Begin,

    /// <summary>References were added.</summary>
    Take,

    /// <summary>References were subtracted.</summary>
    Put,

    /// <summary>The count went from the expected value to 0, and the page is not free.</summary>
    Freeze,

    /// <summary>It was not the expected value.</summary>
    FreezeFailed,

    /// <summary>A frozen page has references again.</summary>
    Unfreeze,

    /// <summary>No event: the count shows that an event is missing.</summary>
    Unseen,
}

/// <summary>One event of a page's count.</summary>
internal struct RefEvent
{
    internal ulong Pfn;
    internal long Time;
    internal int Pid;

    /// <summary>A number of <see cref="StackTable"/>; 0 where none was recorded.</summary>
    internal int Stack;

    /// <summary>References added; of <see cref="RefOp.Freeze"/> and the others the expected or the new count.</summary>
    internal int Value;

    /// <summary>The count as recorded, which the kernel reads again after the operation: another CPU may have been in between.</summary>
    internal int Count;

    /// <summary>The operation's own result, where the event has it; else -1.</summary>
    internal int Result;

    internal int Mapcount;

    /// <summary>A number of <see cref="PageLooks"/>.</summary>
    internal int Look;

    /// <summary>The migrate type of the page's block; -1 where the event has none.</summary>
    internal int MigrateType;

    internal RefOp Op;
}
