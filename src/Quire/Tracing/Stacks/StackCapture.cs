using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Turns the calling thread's managed stack into a small number, in tens of nanoseconds once it is known.</summary>
/// <remarks>
/// <para>
/// Three ways, each an order of magnitude dearer than the one before. <b>1.</b> Walk along the frame pointers, look the return addresses up: no lock, no allocation. <b>2.</b> The addresses are not
/// known: let a collection that waits for the thread pass (it replaces return addresses), look for a better end of the walk, leave out what lies behind native code
/// that keeps no frame pointers, and look again. <b>3.</b> Take <see cref="StackTrace"/> with files and lines, here and now, so that a stack's text is
/// in a recording before the first event that names it; and remember the addresses.
/// </para>
/// <para>
/// Addresses are remembered only if they stay what they are. A stack with a frame of a collectible assembly or a dynamic method takes the third way each time: once the code is unloaded, other code may
/// get its addresses. So does a stack on a fibre of native code, outside the thread's own stack.
/// </para>
/// <para>
/// Never throws, never sleeps on a lock of this library's. The third way allocates, reads files and may run resolvers that the application registered: what these do to pages
/// has no stack, and nobody may hold a gate who calls <see cref="Take"/>.
/// </para>
/// </remarks>
internal static unsafe class StackCapture
{
    private const int Tries = 3;

    private static long s_resolved;
    private static long s_refused;

    /// <summary>True where stacks can be taken.</summary>
    internal static bool IsAvailable => StackSupport.Current.IsAvailable && StackDepot.HasMemory;

    /// <summary>Why not, in a sentence; empty where they can.</summary>
    internal static string WhyNot => StackSupport.Current.IsAvailable && !IsAvailable ? "The system has no memory for the table of stacks." : StackSupport.Current.WhyNot;

    /// <summary>How many stacks took the third way.</summary>
    internal static long Resolved => Atomic.LoadAcquire(ref s_resolved);

    /// <summary>How many got no number though there was room: too near the end of the thread's stack, within the work for another, or an exception.</summary>
    internal static long Refused => Atomic.LoadAcquire(ref s_refused);

    /// <summary>The number of the calling thread's stack at a call site; 0 where stacks are not available, where the depot is full, and where it was refused.</summary>
    /// <param name="site">The call site's number: the same stack at another site has another number.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    [SkipLocalsInit]
    internal static uint Take(uint site)
    {
        StackWalk walk;
        ulong span = StackThread.Span;
        if (span == 0 && !IsAvailable)
        {
            return 0;
        }

        // The caller of the reader is this method, and a method that calls native code has a frame.
        ulong low = StackThread.Low;
        ulong frame = StackSupport.Reader();
        uint number = 0;
        if (frame - low < span)
        {
            StackWalk.Run(&walk, frame, low + span, site);
            number = StackDepot.Store.Find(&walk, site);
        }

        return number != 0 ? number : Retake(&walk, frame, site);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Retake(StackWalk* walk, ulong frame, uint site)
    {
        StackStore store = StackDepot.Store;
        if (StackThread.IsBusy)
        {
            Atomic.Add(ref s_refused, 1);
            return 0;
        }

        StackThread.Settle();
        uint number = 0;
        if (IsOnStack(frame))
        {
            _ = StackThread.FindRoot(frame);
            number = Find(store, walk, frame, site);
        }
        else
        {
            walk->Count = 0;
        }

        if (number != 0)
        {
            return number;
        }

        if (store.IsFull)
        {
            store.Drop();
            return 0;
        }

        // The runtime's own walk needs more stack than the caller may have left.
        number = RuntimeHelpers.TryEnsureSufficientExecutionStack() ? Resolve(store, walk, frame, site) : 0;
        if (number == 0)
        {
            Atomic.Add(ref s_refused, 1);
        }

        return number;
    }

    private static bool IsOnStack(ulong frame) => frame - StackThread.Low < StackThread.Span || StackThread.Enter(frame);

    // Walks again and looks: first as it is, then without what lies behind native code without frame pointers.
    private static uint Find(StackStore store, StackWalk* walk, ulong frame, uint site)
    {
        Walk(walk, frame, site);
        uint number = store.Find(walk, site);
        int foreign = number != 0 ? walk->Count : NativeCode.FirstForeign(walk->Addresses, walk->Count);
        if (foreign + 1 < walk->Count)
        {
            walk->Cut(foreign + 1, site);
            number = store.Find(walk, site);
        }

        return number;
    }

    private static void Walk(StackWalk* walk, ulong frame, uint site) => StackWalk.Run(walk, frame, StackThread.Low + StackThread.Span, site);

    private static uint Resolve(StackStore store, StackWalk* walk, ulong frame, uint site)
    {
        bool interrupted = false;
        uint number = 0;
        StackThread.IsBusy = true;
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            try
            {
                number = Read(store, walk, frame, site);
                break;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
#pragma warning disable CA1031 // A stack that can't be read must not break what it was to be a note about.
            catch (Exception)
#pragma warning restore CA1031
            {
                break;
            }
        }

        StackThread.IsBusy = false;
        if (interrupted)
        {
            // It came for a wait of the application's, not for one of ours.
            Thread.CurrentThread.Interrupt();
        }

        return number;
    }

    private static uint Read(StackStore store, StackWalk* walk, ulong frame, uint site)
    {
        Atomic.Add(ref s_resolved, 1);
        bool isOnStack = walk->Count > 0;
        StackTrace trace = new(fNeedFileInfo: true);
        if (isOnStack)
        {
            // The runtime gave back return addresses that a collection had replaced: perhaps that is all that was new.
            uint known = Find(store, walk, frame, site);
            if (known != 0)
            {
                return known;
            }

            Walk(walk, frame, site);
        }

        StackReading reading = new(trace, walk);
        if (reading.IsPartial && isOnStack && StackThread.IsLowered && walk->Count < StackWalk.MaximumFrames)
        {
            // The end that was learned may hide frames: with the system's own, see above.
            _ = StackThread.Enter(frame);
            Walk(walk, frame, site);
            reading = new StackReading(trace, walk);
        }

        if (!isOnStack || !reading.CoversUser || reading.IsUnloadable)
        {
            return Publish(store, site, reading.Frames(all: true), isPartial: false);
        }

        uint number = Publish(store, site, reading.Frames(all: false), reading.IsPartial);
        if (number != 0)
        {
            Remember(store, walk, frame, site, reading, number);
        }

        return number;
    }

    // Whoever interns a stack publishes it before anybody gets the number; twice is harmless.
    private static uint Publish(StackStore store, uint site, uint[] frames, bool isPartial)
    {
        uint number = frames.Length == 0 ? 0 : store.Intern(site, frames, isPartial);
        if (number != 0 && store.MustPublish(number))
        {
            TextTable.PublishStack(number, frames, isPartial);
            store.SetPublished(number);
        }

        return number;
    }

    private static void Remember(StackStore store, StackWalk* walk, ulong frame, uint site, StackReading reading, uint number)
    {
        if (reading.ForeignAt >= 0)
        {
            NativeCode.AddForeign(walk->Addresses[reading.ForeignAt]);
        }

        if (reading.RootAt is int root and > 0)
        {
            if (NativeCode.IsThreadLibrary(walk->Addresses[reading.ForeignAt]))
            {
                StackThread.LearnRoot(new ReadOnlySpan<ulong>(walk->Addresses + root, reading.ForeignAt - root + 1));
            }

            StackThread.Lower(walk->Frames[root]);
            Walk(walk, frame, site);
        }

        // What the next capture on this thread looks for first.
        store.Add(walk, site, reading.Asks, number);
        int foreign = NativeCode.FirstForeign(walk->Addresses, walk->Count);
        if (foreign + 1 < walk->Count)
        {
            walk->Cut(foreign + 1, site);
            store.Add(walk, site, reading.Asks, number);
        }
    }
}
