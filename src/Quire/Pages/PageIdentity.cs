using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The 64-bit word that says which page a handle means: a frame number and the generation it had.
/// </summary>
/// <remarks>
/// The budget of the word:
/// <code>
///   63        62         61 ........ 28   27 ........ 0
///   tail      tracked    generation        frame number
/// </code>
/// 28 bits of frames are 1 TiB of 4 KiB frames. 34 bits of generations last 170 s of a frame that is taken and freed every
/// 10 ns without a pause; a frame whose generations are used up is retired (kept out of use), never started again, so
/// no handle ever means two pages.
/// <see cref="TrackedBit"/> stands only in handles: the handle carries a ticket of the ledger, so a comparison with a
/// descriptor's word fails and leads to the cold path without a test of its own.
/// <see cref="TailBit"/> stands only in descriptors: a tail's word never equals a handle's, so every hot path that has
/// compared the words has a head in its hands.
/// </remarks>
internal static class PageIdentity
{
    internal const int FrameBits = 28;
    internal const int GenerationBits = 34;
    internal const uint FrameMask = (1u << FrameBits) - 1;
    internal const ulong GenerationOne = 1ul << FrameBits;
    internal const ulong TrackedBit = 1ul << (FrameBits + GenerationBits);
    internal const ulong TailBit = 1ul << 63;
    internal const long LastGeneration = (1L << GenerationBits) - 1;
    private const ulong Plain = TrackedBit - 1;

    /// <summary>Frame number and generation without the marks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Unmarked(ulong identity) => identity & Plain;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Frame(ulong identity) => (uint)identity & FrameMask;

    internal static long Generation(ulong identity) => (long)((identity & Plain) >> FrameBits);

    internal static ulong Of(uint frame, long generation) => frame | ((ulong)generation << FrameBits);
}
