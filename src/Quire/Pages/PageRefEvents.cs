using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Makes the seven <c>page_ref</c> events. Called only while <see cref="Tracking.Counting"/>, with no gate held.</summary>
/// <remarks>
/// What an event says of the page is read before the operation: after it the page may be another's. The count in it is the operation's own result.
/// </remarks>
internal static unsafe class PageRefEvents
{
    private const uint BlockMask = ~511u;
    private const ulong FlagHead = 1;
    private const ulong FlagFrozen = 2;
    private const ulong FlagMovable = 4;
    private const ulong FlagZeroOnFree = 8;

    /// <summary>How many pins a movable page has; set by the room that has them.</summary>
    internal static delegate*<PageDescriptor*, int> PinsOf;

    /// <summary>An event about a page as it is now.</summary>
    /// <param name="head">The page.</param>
    /// <param name="origin">Where the operation came from; 0 for the library's own.</param>
    /// <param name="ticket">The ticket of the reference, where it has one.</param>
    /// <param name="asked">The frame that the caller named; 0 for the head's.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static PageRefEvent Of(PageDescriptor* head, uint origin, uint ticket = 0, uint asked = 0)
    {
        ulong identity = Atomic.LoadAcquire(ref head->Identity);
        uint frame = PageIdentity.Frame(identity);
        return new PageRefEvent
        {
            Pfn = frame,
            Flags = Flags(head),
            Mapcount = head->Mapping != 0 && PinsOf != null ? PinsOf(head) : 0,
            Mapping = (uint)head->Mapping,
            Mt = MigrateTypeOf(frame),
            Generation = (ulong)PageIdentity.Generation(identity),
            Page = asked == 0 ? frame : asked,
            Ticket = ticket,
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
            Order = head->Order,
            Owner = PageOwners.Find(head->Owner)?.NameNumber ?? 0,
        };
    }

    /// <summary>The type of the page block that a frame lies in.</summary>
    internal static int MigrateTypeOf(uint frame) => (int)PageMap.Descriptor(frame & BlockMask)->BlockType;

    /// <summary>References were added or taken off, and nothing was asked (<c>page_ref_mod</c>).</summary>
    internal static void Mod(ref PageRefEvent of, int added, int count) => Write(Tracepoint.PageRefMod, ref of, added, count, count);

    /// <summary>References were taken off by the call that asks whether it was the last (<c>page_ref_mod_and_test</c>).</summary>
    internal static void ModAndTest(ref PageRefEvent of, int added, int count) => Write(Tracepoint.PageRefModAndTest, ref of, added, count, count == 0 ? 1 : 0);

    /// <summary>References were added or taken off by the call that asks what remains (<c>page_ref_mod_and_return</c>).</summary>
    internal static void ModAndReturn(ref PageRefEvent of, int added, int count) => Write(Tracepoint.PageRefModAndReturn, ref of, added, count, count);

    /// <summary>References were added, or not (<c>page_ref_mod_unless</c>).</summary>
    internal static void ModUnless(ref PageRefEvent of, int added, int unless, int count, bool done)
    {
        of.Unless = unless;
        Write(Tracepoint.PageRefModUnless, ref of, added, count, done ? 1 : 0);
    }

    /// <summary>The count of a page that nobody can reach was set (<c>page_ref_set</c>).</summary>
    internal static void Set(PageDescriptor* head, int count, uint origin)
    {
        PageRefEvent set = Of(head, origin);
        Write(Tracepoint.PageRefSet, ref set, count, count, count);
    }

    /// <summary>A freeze was tried (<c>page_ref_freeze</c>).</summary>
    internal static void Freeze(ref PageRefEvent of, int expected, int found, bool done) =>
        Write(Tracepoint.PageRefFreeze, ref of, expected, done ? 0 : found, done ? 1 : 0);

    /// <summary>A frozen page is about to get its count (<c>page_ref_unfreeze</c>).</summary>
    internal static void Unfreeze(ref PageRefEvent of, int count) => Write(Tracepoint.PageRefUnfreeze, ref of, count, count, count);

    private static void Write(Tracepoint id, ref PageRefEvent of, int val, int count, int ret)
    {
        if (Tracking.Selective && !TraceAdmission.AdmitsPage(of.Pfn | (of.Generation << PageIdentity.FrameBits)))
        {
            return;
        }

        of.Val = val;
        of.Count = count;
        of.Ret = ret;
        TraceRings.Write(id, ref of);
    }

    private static ulong Flags(PageDescriptor* head)
    {
        PageFlags flags = head->Flags;
        return (head->Order != 0 ? FlagHead : 0)
            | (PageRef.IsFrozen(head) ? FlagFrozen : 0)
            | ((flags & PageFlags.Movable) != 0 ? FlagMovable : 0)
            | ((flags & PageFlags.ZeroOnFree) != 0 ? FlagZeroOnFree : 0);
    }
}
