using System.Text;

namespace Quire.Traces.Analysis;

/// <summary>One kind of event of one trace, as the analysis reads it: what it means, and where its fields are.</summary>
/// <remarks>
/// Events and fields are found by name alone, so that a recording and the trace.dat made of it read the same, and one made by a later or older
/// version too. An event that lacks a field without which it means nothing is <see cref="EventKind.Other"/> and counted.
/// </remarks>
internal sealed class EventShape
{
    private static readonly string[] s_names = [.. Enum.GetNames<EventField>().Select(SnakeCase)];

    private static readonly Dictionary<string, (EventKind Kind, EventField[] Needed)> s_meanings = new(StringComparer.Ordinal)
    {
        ["page_ref_set"] = (EventKind.RefSet, [EventField.Pfn, EventField.Val]),
        ["page_ref_mod"] = (EventKind.RefMod, [EventField.Pfn, EventField.Count, EventField.Val]),
        ["page_ref_mod_and_test"] = (EventKind.RefMod, [EventField.Pfn, EventField.Count, EventField.Val]),
        ["page_ref_mod_and_return"] = (EventKind.RefMod, [EventField.Pfn, EventField.Count, EventField.Val]),
        ["page_ref_mod_unless"] = (EventKind.RefUnless, [EventField.Pfn, EventField.Count, EventField.Val, EventField.Ret]),
        ["page_ref_freeze"] = (EventKind.RefFreeze, [EventField.Pfn, EventField.Val, EventField.Ret]),
        ["page_ref_unfreeze"] = (EventKind.RefUnfreeze, [EventField.Pfn, EventField.Val]),
        ["mm_page_alloc"] = (EventKind.PageAlloc, [EventField.Pfn, EventField.Order]),
        ["mm_page_free"] = (EventKind.PageFree, [EventField.Pfn]),
        ["mm_page_free_batched"] = (EventKind.PageFreeBatched, [EventField.Pfn]),
        ["test_pages_isolated"] = (EventKind.PagesIsolated, [EventField.StartPfn, EventField.EndPfn, EventField.FinPfn]),
        ["mm_migrate_pages"] = (EventKind.MigratePages, [EventField.Succeeded, EventField.Failed]),
        ["mm_migrate_pages_start"] = (EventKind.MigrateStart, []),
        ["cma_alloc_start"] = (EventKind.ContiguousStart, []),
        ["cma_alloc_busy_retry"] = (EventKind.ContiguousRetry, [EventField.Pfn]),
        ["cma_alloc_finish"] = (EventKind.ContiguousFinish, [EventField.Pfn]),
        ["cma_release"] = (EventKind.ContiguousRelease, [EventField.Pfn]),
        ["fragment_refill"] = (EventKind.FragmentRefill, [EventField.Pfn, EventField.Generation]),
        ["fragment_drain"] = (EventKind.FragmentDrain, [EventField.Pfn, EventField.Generation]),
        ["fragment_reuse"] = (EventKind.FragmentReuse, [EventField.Pfn, EventField.Generation]),
        ["page_busy"] = (EventKind.PageBusy, [EventField.Pfn, EventField.Generation]),
        ["holder_take"] = (EventKind.HolderTake, [EventField.Pfn, EventField.Generation, EventField.Ticket, EventField.References]),
        ["holder_release"] = (EventKind.HolderRelease, [EventField.Ticket, EventField.References, EventField.Remaining]),
        ["holder_touch"] = (EventKind.HolderTouch, [EventField.Ticket]),
        ["holder_move"] = (EventKind.HolderMove, [EventField.Pfn, EventField.Generation, EventField.Ticket]),
        ["holder_count"] = (EventKind.HolderCount, [EventField.Ticket, EventField.References]),
        ["holder_state"] = (EventKind.HolderState, [EventField.Pfn, EventField.Generation, EventField.Ticket, EventField.References]),
        ["page_state"] = (EventKind.PageState, [EventField.Pfn, EventField.Generation, EventField.Count]),
    };

    private readonly TraceField?[] _fields = new TraceField?[s_names.Length];

    internal EventShape(TraceEventFormat format)
    {
        Format = format;
        for (int i = 0; i < s_names.Length; i++)
        {
            _fields[i] = format.Find(s_names[i]);
        }

        IsReturning = format.Name.EndsWith("_and_return", StringComparison.Ordinal);
        HasFlagNames = _fields[(int)EventField.Flags] is { IsArray: true };
        if (s_meanings.TryGetValue(format.Name, out (EventKind Kind, EventField[] Needed) meaning))
        {
            Lacking = string.Join(", ", meaning.Needed.Where(field => !Has(field)).Select(NameOf));
            Kind = Lacking.Length == 0 ? meaning.Kind : EventKind.Other;
        }
    }

    internal TraceEventFormat Format { get; }

    internal EventKind Kind { get; }

    /// <summary>The fields without which the event means nothing and which it lacks; empty where none is.</summary>
    internal string Lacking { get; } = "";

    /// <summary>Whether <c>ret</c> is the count after the operation.</summary>
    internal bool IsReturning { get; }

    /// <summary>Whether flags are recorded by name, not as a number.</summary>
    internal bool HasFlagNames { get; }

    /// <summary>How many such events were read.</summary>
    internal long Events { get; set; }

    internal bool Has(EventField field) => _fields[(int)field] is not null;

    /// <summary>Whether a field is recorded as text.</summary>
    internal bool IsText(EventField field) => _fields[(int)field] is { IsArray: true };

    /// <summary>A field's number, or <paramref name="otherwise"/> where the event has no such field.</summary>
    internal long Signed(in TraceRecord record, EventField field, long otherwise = 0) =>
        _fields[(int)field] is { } found ? record.Signed(found) : otherwise;

    /// <summary>A field's bits, or 0.</summary>
    internal ulong Unsigned(in TraceRecord record, EventField field) => _fields[(int)field] is { } found ? record.Unsigned(found) : 0;

    /// <summary>A count or a number of references, whatever the width of its field.</summary>
    internal int Int(in TraceRecord record, EventField field, int otherwise = 0) => (int)Signed(record, field, otherwise);

    /// <summary>A field's text; empty where the event has no such field.</summary>
    internal string Text(in TraceRecord record, EventField field) => _fields[(int)field] is { } found ? record.Text(found) : "";

    /// <summary>The page an event is about.</summary>
    internal PageKey Page(in TraceRecord record) => new(Unsigned(record, EventField.Pfn), Unsigned(record, EventField.Generation));

    private static string NameOf(EventField field) => s_names[(int)field];

    private static string SnakeCase(string name)
    {
        StringBuilder text = new();
        foreach (char c in name)
        {
            text.Append(char.IsUpper(c) && text.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
