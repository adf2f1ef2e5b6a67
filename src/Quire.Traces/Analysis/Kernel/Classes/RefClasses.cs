namespace Quire.Traces.Analysis;

/// <summary>What the stacks of a kernel's page references mean. Thread-safe: nothing here changes.</summary>
/// <remarks>
/// How a stack is read: frames of the tracing itself count for nothing, and what lies beyond an interrupt, a softirq or a page fault did not ask for the reference. Of the frames that
/// remain, the innermost that a strong rule lists decides, by the first rule of the table that lists it and whose conditions hold: who asked for the page is nearer than who asked for
/// the work. Functions that serve everybody (GUP, lookups in the page cache, the allocator) are weak rules: they decide only where nobody else does, and after the module of a driver.
/// </remarks>
internal static class RefClasses
{
    private const int MostFrames = 256;

    private static readonly Dictionary<string, RefClass> s_byName = RefClassTable.All.ToDictionary(static one => one.Name, StringComparer.Ordinal);
    private static readonly RuleSets[] s_rules = [.. RefRuleTable.All.Select(static rule => new RuleSets(rule, new(rule.Functions), new(rule.Under), new(rule.Via)))];
    private static readonly FrameSet s_tracing = new(RefRuleTable.Tracing);
    private static readonly FrameSet s_helpers = new(RefRuleTable.Helpers);
    private static readonly FrameSet s_boundaries = new(RefRuleTable.Boundaries);
    private static readonly FrameSet s_entries = new(RefRuleTable.Entries);

    /// <summary>Modules of file systems: what they hold of the page cache is a file system's work, not a driver's.</summary>
    private static readonly HashSet<string> s_fileSystems = new(StringComparer.Ordinal)
    {
        "ext2", "ext4", "jbd2", "mbcache", "xfs", "btrfs", "f2fs", "bcachefs", "nfs", "nfsv2", "nfsv3", "nfsv4", "nfsd", "cifs", "ksmbd", "smb", "fuse", "virtiofs", "overlay", "fat", "vfat", "exfat", "ntfs", "ntfs3", "udf",
        "isofs", "squashfs", "erofs", "ceph", "libceph", "9p", "9pnet", "netfs", "fscache", "cachefiles", "gfs2", "ocfs2", "reiserfs", "jfs", "nilfs2", "hfs", "hfsplus", "ubifs", "orangefs", "minix", "ufs", "afs", "zfs", "cramfs", "romfs",
    };

    /// <summary>All classes, in the order of the documentation.</summary>
    internal static IReadOnlyList<RefClass> All => RefClassTable.All;

    /// <summary>All rules, in the order in which they are tried at one frame.</summary>
    internal static IReadOnlyList<RefRule> Rules => RefRuleTable.All;

    /// <summary>The class of a reference.</summary>
    /// <param name="frames">The functions' names, innermost first, as the kernel prints them; the tracing's own may be among them.</param>
    /// <param name="role">Whether the reference was taken or given back there.</param>
    /// <param name="isPin">Whether it is a pin (FOLL_PIN).</param>
    internal static RefClass Of(ReadOnlySpan<string> frames, RefRole role, bool isPin) => Match(frames, role, isPin).Class;

    /// <summary>The class of a reference, with what said so.</summary>
    /// <inheritdoc cref="Of"/>
    internal static RefMatch Match(ReadOnlySpan<string> frames, RefRole role, bool isPin)
    {
        FrameName[] names = Names(frames, out int first);
        return Match(names, first, role, isPin);
    }

    /// <summary>How many frames at the inner end are the tracing's own.</summary>
    /// <param name="frames">The functions' names, innermost first.</param>
    internal static int TracingFrames(ReadOnlySpan<string> frames)
    {
        Names(frames, out int first);
        return first;
    }

    /// <summary>The class of that name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    internal static RefClass Find(string name) => s_byName.TryGetValue(name, out RefClass? found) ? found : throw new KeyNotFoundException($"There is no class '{name}'.");

    /// <summary>The frame that names the site best: the one that a strong rule goes by; else the innermost that is neither the tracing's nor a helper that serves everybody; -1 where none tells anything.</summary>
    /// <param name="frames">The functions' names, innermost first.</param>
    internal static int FirstMeaningful(ReadOnlySpan<string> frames)
    {
        FrameName[] names = Names(frames, out int first);
        RefMatch take = Match(names, first, RefRole.Take, false);
        RefMatch put = take.Rule is { Strength: RefStrength.Strong } ? take : Match(names, first, RefRole.Put, false);
        return put.Rule is { Strength: RefStrength.Strong } ? put.Frame : take.Frame;
    }

    private static RefMatch Match(FrameName[] names, int first, RefRole role, bool isPin)
    {
        int end = Boundary(names, first);
        if (Rule(names, first, end, role, RefStrength.Strong, out int at) is { } strong)
        {
            return new RefMatch(Find(strong.Class), strong, at, strong.Class == RefClassTable.Driver ? Module(names, first, end, out _) : null);
        }

        RefRule? weak = Rule(names, first, end, role, RefStrength.Weak, out at);
        string? module = Module(names, first, end, out int moduleAt);
        bool isFileSystem = module is not null && s_fileSystems.Contains(module);
        if (module is not null && !isFileSystem)
        {
            return new RefMatch(Find(RefClassTable.Driver), null, moduleAt, module);
        }

        int label = Label(names, first, end, role);
        if (weak is not null)
        {
            return new RefMatch(Find(weak.Class), weak, label < 0 ? at : label, null);
        }

        return isFileSystem ? new RefMatch(Find("file-system"), null, moduleAt, module)
            : isPin && role == RefRole.Take ? new RefMatch(Find(RefClassTable.ShortPin), null, label, Runs(names, first, end))
            : new RefMatch(Find(RefClassTable.Unknown), null, label, Runs(names, first, end));
    }

    /// <summary>The innermost frame that a rule of that strength lists, and the first such rule whose conditions hold there.</summary>
    private static RefRule? Rule(FrameName[] names, int first, int end, RefRole role, RefStrength strength, out int at)
    {
        for (at = first; at < end; at++)
        {
            foreach (RuleSets sets in s_rules)
            {
                if (sets.Rule.Strength == strength && sets.Rule.Applies(role) && sets.Functions.Has(names[at].Function)
                    && (sets.Under.IsEmpty || sets.Under.HasAny(names.AsSpan(at, end - at))) && (sets.Via.IsEmpty || sets.Via.HasAny(names.AsSpan(first, at + 1 - first))))
                {
                    return sets.Rule;
                }
            }
        }

        at = -1;
        return null;
    }

    private static FrameName[] Names(ReadOnlySpan<string> frames, out int first)
    {
        FrameName[] names = new FrameName[Math.Min(frames.Length, MostFrames)];
        for (int at = 0; at < names.Length; at++)
        {
            names[at] = FrameName.Parse(frames[at]);
        }

        // The tracing's frames are the innermost: after the last of them the traced function begins. One further out is of an interrupt that came while an event was written.
        for (first = 0; first < names.Length && (names[first].Function.Length == 0 || s_tracing.Has(names[first].Function)); first++)
        {
        }

        return names;
    }

    /// <summary>Where what asked for the reference ends: at the way in of an interrupt, a softirq or a fault, or at the stack's end.</summary>
    private static int Boundary(FrameName[] names, int first)
    {
        for (int at = first; at < names.Length; at++)
        {
            if (s_boundaries.Has(names[at].Function))
            {
                return at;
            }
        }

        return names.Length;
    }

    private static string? Module(FrameName[] names, int first, int end, out int at)
    {
        for (at = first; at < end; at++)
        {
            if (names[at].Module is { } module)
            {
                return module;
            }
        }

        at = -1;
        return null;
    }

    private static int Label(FrameName[] names, int first, int end, RefRole role)
    {
        for (int at = first; at < end; at++)
        {
            string function = names[at].Function;
            if (function.Length > 0 && !s_helpers.Has(function) && !s_entries.Has(function) && !IsWeak(function, role))
            {
                return at;
            }
        }

        for (int at = first; at < end; at++)
        {
            if (names[at].Function.Length > 0 && !s_helpers.Has(names[at].Function))
            {
                return at;
            }
        }

        return first < names.Length ? first : -1;
    }

    private static bool IsWeak(string function, RefRole role)
    {
        foreach (RuleSets sets in s_rules)
        {
            if (sets.Rule.Strength == RefStrength.Weak && sets.Rule.Applies(role) && sets.Functions.Has(function))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What runs, where nobody knows why: the outermost that can be recognised.</summary>
    private static string? Runs(FrameName[] names, int first, int end)
    {
        if (end < names.Length)
        {
            string way = names[end].Function;
            return way.Contains("fault", StringComparison.Ordinal) || way.Contains("abort", StringComparison.OrdinalIgnoreCase) ? "page fault"
                : way.Contains("softirq", StringComparison.Ordinal) ? "softirq" : "interrupt";
        }

        for (int at = names.Length - 1; at > first; at--)
        {
            string function = names[at].Function;
            string inner = names[at - 1].Function;
            if (function.StartsWith("sys_", StringComparison.Ordinal))
            {
                return $"system call {function[4..]}";
            }

            if (function == "process_one_work")
            {
                return $"kernel worker, {inner}";
            }

            if (function == "kthread" && inner != "worker_thread")
            {
                return $"kernel thread, {inner}";
            }
        }

        return names.Length > first && names[first].Function.StartsWith("sys_", StringComparison.Ordinal) ? $"system call {names[first].Function[4..]}" : null;
    }

    private sealed record RuleSets(RefRule Rule, FrameSet Functions, FrameSet Under, FrameSet Via);
}
