using System.Text;

namespace Quire.Traces;

/// <summary>What the texts of the kernel's memory events leave open: which system an event belongs to, and which field a printed word is.</summary>
/// <remarks>
/// Source: the events' <c>print fmt</c> lines, 4.6 to 6.13. Everything else is read as it is printed: <c>key=value</c>, the key being the field's name.
/// </remarks>
internal static class TextNames
{
    /// <summary>Words that are printed under another name than the field's.</summary>
    private static readonly Dictionary<(string Event, string Printed), string> s_fields = new()
    {
        [("mm_migrate_pages", "nr_succeeded")] = "succeeded",
        [("mm_migrate_pages", "nr_failed")] = "failed",
        [("mm_migrate_pages", "nr_thp_succeeded")] = "thp_succeeded",
        [("mm_migrate_pages", "nr_thp_failed")] = "thp_failed",
        [("mm_migrate_pages", "nr_thp_split")] = "thp_split",
        [("mm_migrate_pages", "nr_split")] = "large_folio_split",
        [("mm_compaction_kcompactd_wake", "classzone_idx")] = "highest_zoneidx",
        [("mm_compaction_wakeup_kcompactd", "classzone_idx")] = "highest_zoneidx",
        [("mm_compaction_suitable", "node")] = "nid",
        [("mm_compaction_suitable", "zone")] = "idx",
        [("mm_compaction_finished", "node")] = "nid",
        [("mm_compaction_finished", "zone")] = "idx",
        [("mm_compaction_deferred", "node")] = "nid",
        [("mm_compaction_deferred", "zone")] = "idx",
        [("mm_compaction_deferred", "consider")] = "considered",
        [("mm_compaction_defer_compaction", "node")] = "nid",
        [("mm_compaction_defer_compaction", "zone")] = "idx",
        [("mm_compaction_defer_compaction", "consider")] = "considered",
        [("mm_compaction_defer_reset", "node")] = "nid",
        [("mm_compaction_defer_reset", "zone")] = "idx",
        [("mm_compaction_defer_reset", "consider")] = "considered",
    };

    /// <summary>Pointers, printed without <c>0x</c>; hashed, hidden or as they are.</summary>
    private static readonly HashSet<string> s_pointers = new(StringComparer.Ordinal) { "mapping", "page", "folio", "ptr", "addr", "pte", "vaddr" };

    /// <summary>Texts, also where they look like numbers.</summary>
    private static readonly HashSet<string> s_texts = new(StringComparer.Ordinal) { "name", "comm", "prev_comm", "next_comm", "oldcomm", "newcomm" };

    /// <summary>Signed 32-bit fields of page_ref, which a raw report prints as 0xffffffff.</summary>
    private static readonly HashSet<string> s_int32 = new(StringComparer.Ordinal) { "count", "mapcount", "mt", "val", "ret", "migratetype", "errorno" };

    private static readonly HashSet<string> s_migrate = new(StringComparer.Ordinal) { "mm_migrate_pages", "mm_migrate_pages_start", "set_migration_pte", "remove_migration_pte" };

    private static readonly HashSet<string> s_kmem = new(StringComparer.Ordinal)
    {
        "mm_page_alloc", "mm_page_free", "mm_page_free_batched", "mm_page_alloc_zone_locked", "mm_page_pcpu_drain", "mm_page_alloc_extfrag", "mm_alloc_contig_migrate_range_info",
        "rss_stat", "kmalloc", "kfree", "kmem_cache_alloc", "kmem_cache_free",
    };

    internal static string SystemOf(string name) =>
        name.StartsWith("page_ref_", StringComparison.Ordinal) ? "page_ref"
        : name.StartsWith("cma_", StringComparison.Ordinal) ? "cma"
        : name == "test_pages_isolated" ? "page_isolation"
        : s_migrate.Contains(name) ? "migrate"
        : s_kmem.Contains(name) ? "kmem"
        : name.StartsWith("mm_compaction_", StringComparison.Ordinal) ? "compaction"
        : name is "print" or "function" ? "ftrace"
        : name.StartsWith("sched_", StringComparison.Ordinal) ? "sched"
        : "unknown";

    internal static string FieldOf(string name, string printed) => s_fields.GetValueOrDefault((name, printed), printed);

    /// <summary>Whether a field's bare digits are hexadecimal.</summary>
    internal static bool IsHex(string system, string key) => s_pointers.Contains(key) || (key == "pfn" && system == "cma");

    internal static bool IsText(string key) => s_texts.Contains(key);

    internal static bool IsInt32(string system, string key) => system is "page_ref" or "kmem" or "cma" && s_int32.Contains(key) && (system == "page_ref" || key != "count");

    /// <summary>The field that a line of this event ends with where it is whole; null where nobody knows.</summary>
    internal static string? LastFieldOf(string name) => name switch
    {
        "page_ref_set" or "page_ref_mod" or "page_ref_unfreeze" => "val",
        "page_ref_mod_and_test" or "page_ref_mod_and_return" or "page_ref_mod_unless" or "page_ref_freeze" => "ret",
        "test_pages_isolated" => "fin_pfn",
        "cma_alloc_start" => "align",
        "cma_release" => "count",
        _ => null,
    };

    internal static string StringOf(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}
