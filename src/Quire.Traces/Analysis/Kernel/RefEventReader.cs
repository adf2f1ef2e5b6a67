namespace Quire.Traces.Analysis;

/// <summary>Reads the <c>page_ref</c> events of a kernel.</summary>
/// <remarks>
/// <c>count</c> is read again after the operation (include/trace/events/page_ref.h), so <c>val</c> and <c>ret</c> say what happened and <c>count</c> only what was seen.
/// <c>mapcount</c> has two meanings: <c>page_mapcount()</c>, 0 for a page that is not mapped, and in later kernels the raw <c>_mapcount</c>, where that is -1 and
/// pages with a type have garbage. A -1 tells which: no older kernel writes it.
/// </remarks>
internal sealed class RefEventReader(StackTable stacks, PageLooks looks)
{
    /// <summary>More mappings than this, or fewer than none, are a page's type and not a count.</summary>
    private const int MostMappings = 1 << 20;

    /// <summary>Whether <c>mapcount</c> was seen to be raw: one less than the number of mappings.</summary>
    internal bool IsMapcountRaw { get; private set; }

    /// <summary>Whether <c>mapcount</c> is recorded at all.</summary>
    internal bool HasMapcount { get; private set; }

    /// <summary>Mappings, of a recorded <c>mapcount</c>.</summary>
    internal int Mappings(int mapcount)
    {
        int mappings = IsMapcountRaw ? mapcount + 1 : mapcount;
        return mappings is < 0 or > MostMappings ? 0 : mappings;
    }

    internal void Read(in TraceRecord record, EventShape shape, out RefEvent read)
    {
        read = default;
        read.Pfn = shape.Unsigned(record, EventField.Pfn);
        read.Time = record.Time;
        read.Pid = record.Pid;
        read.Value = shape.Int(record, EventField.Val);
        read.Count = shape.Int(record, EventField.Count, -1);
        read.Mapcount = shape.Int(record, EventField.Mapcount);
        read.MigrateType = shape.Int(record, EventField.Mt, -1);
        read.Look = looks.Of(record, shape);
        read.Result = -1;
        int ret = shape.Int(record, EventField.Ret);
        switch (shape.Kind)
        {
            case EventKind.RefSet:
                read.Op = RefOp.Begin;
                read.Result = read.Value;
                break;
            case EventKind.RefMod:
                read.Op = read.Value > 0 ? RefOp.Take : read.Value < 0 ? RefOp.Put : RefOp.None;
                // Of and_test ret says whether the count became 0; of and_return it is the count.
                read.Result = !shape.Has(EventField.Ret) ? -1 : shape.IsReturning ? ret : ret != 0 ? 0 : -1;
                break;
            case EventKind.RefUnless:
                read.Op = ret == 0 || read.Value == 0 ? RefOp.None : read.Value > 0 ? RefOp.Take : RefOp.Put;
                break;
            case EventKind.RefFreeze:
                read.Op = ret != 0 ? RefOp.Freeze : RefOp.FreezeFailed;
                read.Result = ret != 0 ? 0 : -1;
                break;
            case EventKind.RefUnfreeze:
                read.Op = RefOp.Unfreeze;
                read.Result = read.Value;
                break;
        }

        HasMapcount |= shape.Has(EventField.Mapcount);
        IsMapcountRaw |= read.Mapcount == -1;
        read.Stack = read.Op == RefOp.None ? 0 : stacks.NumberOf(record.Stack);
    }
}
