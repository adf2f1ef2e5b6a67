using System.Runtime.InteropServices;

namespace Quire;

/// <summary>One entry of the movable table: where the data of one <see cref="MovablePage"/> is now, and who may move it.</summary>
/// <remarks>
/// Equation, while nobody is between two steps of one: the page's count is 1 (the table's own reference) + pins + references taken with
/// <see cref="Page.Get(string, int, string)"/> through a pin.
/// <para>
/// Who may write what: <see cref="Identity"/> only the one that set the migrating bit of <see cref="Word"/>, or made the entry; the rest
/// only the one that allocates or frees the entry.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal struct MovableEntry
{
    internal const int Size = 32;

    internal ulong Word;        // the one word that decides, see MovableWord
    internal ulong Identity;    // the page that has the data: frame and generation
    internal uint NextFree;     // the next free entry
    internal uint Ticket;       // the ledger's record of the table's reference; 0 where it was taken while tracking was off
    internal uint AllocatedAt;  // numbers in CallSiteTable, kept whether or not tracking is on:
    internal uint FreedAt;      // a stale handle is told both
}

/// <summary>The word that decides about an entry.</summary>
/// <remarks>
/// <code>
///   63 ... 32     31          30         29 ... 20   19 ... 0
///   generation    migrating   sleepers   wanters     pins
/// </code>
/// <list type="bullet">
/// <item>The generation is odd while the entry is in use. It moves when the entry is taken and when it is freed, and is never started again:
/// an entry whose generations are used up is kept out of use.</item>
/// <item>Pins and the migrating bit exclude each other: the bit is set only while there are no pins, and no pin is taken while it is set.</item>
/// <item>Wanters are those that wait for the pins to end, so as to move the page. While there are any, new pins wait; whoever ends
/// the last pin learns of them from its own operation's result, and wakes them.</item>
/// <item>Sleepers is set where somebody waits for migrating or wanters to end; whoever ends them clears it and wakes.</item>
/// </list>
/// </remarks>
internal static class MovableWord
{
    internal const ulong OnePin = 1;
    internal const ulong PinMask = (1ul << 20) - 1;
    internal const ulong OneWanter = 1ul << 20;
    internal const ulong WanterMask = ((1ul << 10) - 1) << 20;
    internal const ulong Sleepers = 1ul << 30;
    internal const ulong Migrating = 1ul << 31;
    internal const ulong Blocked = WanterMask | Sleepers | Migrating;
    internal const int GenerationShift = 32;

    /// <summary>From here on a freed entry is kept out of use.</summary>
    internal const uint RetireAt = uint.MaxValue - 1;

    internal static uint Generation(ulong word) => (uint)(word >> GenerationShift);

    internal static bool IsLive(ulong word) => (word & (1ul << GenerationShift)) != 0;

    internal static uint Pins(ulong word) => (uint)(word & PinMask);
}
