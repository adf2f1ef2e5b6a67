namespace Quire.Traces.Analysis;

/// <summary>What a stack of the kernel means for a reference taken or given back there.</summary>
internal sealed class StackMeaning
{
    internal required string[] Frames { get; init; }

    /// <summary>As a place where a reference is taken, and given back.</summary>
    internal required RefMatch Take { get; init; }

    internal required RefMatch Put { get; init; }

    /// <summary>As a place where a page is pinned (FOLL_PIN).</summary>
    internal required RefMatch Pin { get; init; }

    internal required RefMatch Unpin { get; init; }

    /// <summary>Whether it is inside a contiguous allocation.</summary>
    internal required bool IsContiguous { get; init; }

    /// <summary>Whether memory goes offline there.</summary>
    internal required bool IsOffline { get; init; }

    /// <summary>The frame that names the site best; <c>unknown site</c> where there is none.</summary>
    internal required string Label { get; init; }

    internal RefMatch Of(RefRole role, bool isPin) => role == RefRole.Take ? (isPin ? Pin : Take) : isPin ? Unpin : Put;
}

/// <summary>The meanings of a trace's stacks, each made when it is first asked for.</summary>
internal sealed class StackMeanings(StackTable stacks, TraceInput input)
{
    /// <summary>References of a page of one frame that a pin counts as: <c>GUP_PIN_COUNTING_BIAS</c> (include/linux/mm.h).</summary>
    internal const int PinBias = 1024;

    /// <summary>The site of a reference without a stack.</summary>
    internal const string NoStack = "no stack recorded";

    /// <summary>The class of what no rule knows.</summary>
    internal const string UnknownClass = "unknown";

    // alloc_contig_range and what it calls itself, in any kernel since 4.6 (mm/page_alloc.c, mm/cma.c); with allocation profiling the name ends in _noprof.
    // Memory that goes offline is emptied in the same way (mm/memory_hotplug.c).
    private static readonly string[] s_contiguous = ["alloc_contig_range", "__alloc_contig_migrate_range", "alloc_contig_pages", "cma_alloc", "__cma_alloc", "cma_range_alloc"];
    private static readonly string[] s_offline = ["offline_pages", "__offline_pages", "do_migrate_range"];

    private readonly List<StackMeaning?> _meanings = [];

    /// <summary>The meaning of a stack of <see cref="StackTable"/>.</summary>
    internal StackMeaning this[int stack]
    {
        get
        {
            while (_meanings.Count <= stack)
            {
                _meanings.Add(null);
            }

            return _meanings[stack] ??= Make(stack);
        }
    }

    internal static bool IsPin(int references) => references >= PinBias && references % PinBias == 0;

    private StackMeaning Make(int stack)
    {
        ReadOnlySpan<ulong> addresses = stacks.Of(stack);
        string[] frames = new string[addresses.Length];
        for (int i = 0; i < frames.Length; i++)
        {
            frames[i] = input.SymbolOf(addresses[i]);
        }

        // The tracing's own frames are the same of every event: they tell nothing, and hide the rest.
        int own = RefClasses.TracingFrames(frames);
        frames = own < frames.Length ? frames[own..] : frames;
        RefMatch take = RefClasses.Match(frames, RefRole.Take, isPin: false);
        int label = take.Frame >= 0 ? take.Frame : RefClasses.FirstMeaningful(frames);
        return new StackMeaning
        {
            Frames = frames,
            Take = take,
            Put = RefClasses.Match(frames, RefRole.Put, isPin: false),
            Pin = RefClasses.Match(frames, RefRole.Take, isPin: true),
            Unpin = RefClasses.Match(frames, RefRole.Put, isPin: true),
            IsContiguous = HasAny(frames, s_contiguous) || HasAny(frames, s_offline),
            IsOffline = HasAny(frames, s_offline),
            Label = label >= 0 && label < frames.Length ? frames[label] : frames.Length > 0 ? frames[0] : NoStack,
        };
    }

    private static bool HasAny(string[] frames, string[] functions) => Array.Exists(frames, frame => Array.Exists(functions, name => IsFunction(frame, name)));

    // The function itself, or a part that the compiler made of it: name.isra.0, name_noprof.
    private static bool IsFunction(string frame, string name) =>
        frame.StartsWith(name, StringComparison.Ordinal)
        && (frame.Length == name.Length || frame[name.Length] == '.' || frame.AsSpan(name.Length).StartsWith("_noprof"));
}
