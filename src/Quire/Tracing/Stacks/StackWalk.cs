using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>One walk along the frame pointers: where each frame lies, and the address to which it returns.</summary>
/// <remarks>
/// On x64 a method with a frame pushes its caller's RBP right below the return address and lets RBP point there, so a frame is two words and the first leads to
/// the next. Nothing on a stack can be trusted: a word is read only if it lies between the thread's present frame and the end of its stack, all of which is mapped, and each
/// step must go up, so a walk ends whatever the words are.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct StackWalk
{
    /// <summary>Frames of a walk at most.</summary>
    internal const int MaximumFrames = 128;

    private const ulong Prime = 0x9E3779B97F4A7C15;

    internal Words AddressWords;
    internal Words FrameWords;
    internal int Count;
    internal ulong Hash;

    /// <summary>The return addresses; the first leads into the caller of the method whose frame was the first.</summary>
    internal readonly ulong* Addresses => (ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in AddressWords));

    /// <summary>The addresses of the frames.</summary>
    internal readonly ulong* Frames => (ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in FrameWords));

    /// <summary>Walks from a frame of the calling thread to <paramref name="end"/>, above which no frame begins.</summary>
    /// <remarks>
    /// The chain of loads costs four to five cycles a frame. The multiplication that hashes costs as much and is not part of that chain, so a second lane would gain nothing.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Run(StackWalk* walk, ulong frame, ulong end, uint site)
    {
        ulong* addresses = (ulong*)&walk->AddressWords;
        ulong* frames = (ulong*)&walk->FrameWords;
        ulong hash = Seed(site);
        nint count = 0;
        while (true)
        {
            ulong next = *(ulong*)frame;
            ulong address = *(ulong*)(frame + sizeof(ulong));
            frames[count] = frame;
            addresses[count] = address;
            hash = (hash ^ address) * Prime;
            count++;
            if (next <= frame || next >= end || (next & (sizeof(ulong) - 1)) != 0 || count == MaximumFrames)
            {
                break;
            }

            frame = next;
        }

        walk->Count = (int)count;
        walk->Hash = Finish(hash);
    }

    /// <summary>Drops the frames from an index on.</summary>
    internal void Cut(int count, uint site)
    {
        ulong hash = Seed(site);
        for (int i = 0; i < count; i++)
        {
            hash = (hash ^ Addresses[i]) * Prime;
        }

        Count = count;
        Hash = Finish(hash);
    }

    /// <summary>The hash of a word beside another hash.</summary>
    internal static ulong Mix(ulong hash, ulong word) => Finish((hash ^ word) * Prime);

    private static ulong Seed(uint site) => (site + 1) * 0xD6E8FEB86659FD93;

    // A product's upper half depends on all bits, its lower half on lower bits only.
    private static ulong Finish(ulong hash)
    {
        hash ^= hash >> 32;
        hash *= 0xD6E8FEB86659FD93;
        return hash ^ (hash >> 32);
    }

    [StructLayout(LayoutKind.Sequential, Size = MaximumFrames * sizeof(ulong))]
    internal struct Words
    {
        internal ulong First;
    }
}
