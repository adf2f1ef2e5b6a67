using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Where an operation came from, in one number that a record or an event can hold: a call site, or with <see cref="Tracking.Stacks"/> on a whole stack.
/// </summary>
/// <remarks>
/// Bit 31 tells which: set, the rest is a number in <see cref="StackDepot"/>, otherwise in <see cref="CallSiteTable"/>. A stack is interned together with its call site, which the compiler
/// wrote down to the exact line; so an origin always leads to a call site, and 0 is the unknown one.
/// </remarks>
internal static class Origin
{
    private const uint StackBit = 1u << 31;

    /// <summary>The origin of a call. With stacks on the caller's stack is walked, unless only some references are recorded: then whoever admits one asks for it (<see cref="Whole(uint)"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Here(string file, int line, string member)
    {
        uint site = CallSiteTable.NumberOf(file, line, member);
        return Tracking.Stacks && !Tracking.Selective ? WithStack(site) : site;
    }

    /// <summary>The origin with the stack, if stacks are on: for what is recorded in any case.</summary>
    internal static uint Whole(string file, int line, string member) => Whole(CallSiteTable.NumberOf(file, line, member));

    /// <summary>The same for a call site, or for an origin that may be whole already.</summary>
    internal static uint Whole(uint origin) => (origin & StackBit) == 0 && Tracking.Stacks ? WithStack(origin) : origin;

    /// <summary>The same for a call site that is at hand as a value.</summary>
    internal static uint Here(CallSite site) => Here(site.File, site.Line, site.Member);

    /// <summary>The number of the call site.</summary>
    internal static uint SiteNumber(uint origin) => (origin & StackBit) == 0 ? origin : StackDepot.SiteOf(origin & ~StackBit);

    /// <summary>The number of the stack; 0 where only the call site is known.</summary>
    internal static uint StackNumber(uint origin) => (origin & StackBit) == 0 ? 0 : origin & ~StackBit;

    /// <summary>The call site.</summary>
    internal static CallSite SiteOf(uint origin) => CallSiteTable.SiteOf(SiteNumber(origin));

    /// <summary>The stack; null where only the call site is known.</summary>
    internal static CapturedStack? StackOf(uint origin) => StackNumber(origin) is > 0 and uint number ? StackDepot.Of(number) : null;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint WithStack(uint site)
    {
        uint stack = StackCapture.Take(site);
        return stack == 0 ? site : stack | StackBit;
    }
}
