namespace Quire;

/// <content>The end of an allocator.</content>
public sealed unsafe partial class PageAllocator
{
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(500);

    private Timer? _closer;
    private bool _closing;

    /// <summary>True from <see cref="DisposeWhenFree"/> on: no page is given.</summary>
    private bool IsClosing => Volatile.Read(ref _closing);

    /// <summary>To be asked before memory is taken for anybody.</summary>
    /// <exception cref="ObjectDisposedException">The allocator is disposed, or gives no more pages since it is about to be.</exception>
    internal void ThrowIfGone() => ObjectDisposedException.ThrowIf(IsDisposed || IsClosing, this);

    /// <summary>Releases all memory, that of contiguous areas in it too.</summary>
    /// <remarks>
    /// Other threads may still be calling. First every way to a free page is closed: the threads' magazines, the per-core lists, the buddy lists. Then the pages in
    /// use are counted, which nobody can take more of by now. If there are none, the memory goes; if there are, the ways are opened again.
    /// Does nothing after <see cref="DisposeWhenFree"/>.
    /// </remarks>
    /// <exception cref="PagesStillHeldException">
    /// Pages are in use; the message names their holders. The allocator stands as before: put them and dispose again. Not thrown with <see cref="PageAllocatorOptions.HeldAtDispose"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">This is <see cref="Shared"/>.</exception>
    public void Dispose()
    {
        ThrowIfShared();
        if (IsClosing || TryDispose(reopens: true) is not (long held and not 0))
        {
            return;
        }

        PagesStillHeldException fault = PagesStillHeldException.For(this, held);
        if (Options.HeldAtDispose is not { } tell)
        {
            throw fault;
        }

        if (!DisposeWhenFree())
        {
            tell(fault);
        }
    }

    /// <summary>
    /// Disposes the allocator as soon as nobody holds a page: now, or when the last one has come back. From here on it gives no page.
    /// </summary>
    /// <remarks>
    /// For owners that end before those who use their memory do, as a web server's container does. Pages that are held stay what they are, and are put and
    /// freed as ever. Whether all came back is looked at twice a second; free memory goes back to the system at the usual intervals meanwhile. May be called more than once, on any thread.
    /// </remarks>
    /// <returns>True if it is disposed already, false if pages are still held.</returns>
    /// <exception cref="InvalidOperationException">This is <see cref="Shared"/>.</exception>
    public bool DisposeWhenFree()
    {
        ThrowIfShared();

        // Happens before: set before the ways are closed, so who finds them closed for this reason sees the reason.
        Volatile.Write(ref _closing, true);
        if (TryDispose(reopens: false) == 0)
        {
            return true;
        }

        lock (_trimmer)
        {
            // Another call may have disposed it since, and nobody would end the timer.
            if (!IsDisposed)
            {
                _closer ??= new Timer(static state => ((PageAllocator)state!).LookAgain(), this, s_lookAgain, s_lookAgain);
            }
        }

        return IsDisposed;
    }

    /// <summary>On the timer's thread, where what a user's region provider throws would end the process. The next look tries once more.</summary>
    private void LookAgain()
    {
        try
        {
            TryDispose(reopens: false);
        }
        catch (Exception fault)
        {
            _trimmer.LastFault = fault;
        }
    }

    /// <summary>Frames in use that forbid it; 0 if the allocator is disposed now, or was before.</summary>
    private long TryDispose(bool reopens)
    {
        // Before the lock: rooms below are asked, and they are asked with no lock held.
        Reclaim();
        lock (_trimmer)
        {
            if (IsDisposed)
            {
                return 0;
            }

            SetClosed(true);
            long held = FramesHeld();
            if (held != 0)
            {
                if (reopens && !IsClosing)
                {
                    SetClosed(false);
                }

                return held;
            }

            // Happens before: who sees the mark finds every way closed, for good now.
            Volatile.Write(ref _disposed, true);
            _magazines.Close();
            Sections.Dispose();

            // The number goes to another allocator, whose pages must not pass for this one's.
            PageOwners.Allocators.Depart(_id);
            _id = 0;
            _closer?.Dispose();
        }

        _trimmer.Dispose();
        TracingNotices.AllocatorDisposed(Name);
        return 0;
    }

    private void ThrowIfShared()
    {
        if (ReferenceEquals(this, Shared))
        {
            throw new InvalidOperationException("The shared allocator lives as long as the process and can't be disposed.");
        }
    }

    private void SetClosed(bool closed)
    {
        Zone.Gate.Enter();
        Zone.Closed = closed;
        Zone.Gate.Exit();
        foreach (PerCoreList list in _perCore)
        {
            list.SetClosed(closed);
        }

        _magazines.SetSuspended(closed);
    }

    /// <summary>Frames in use while everything is closed. What a thread has between two lists at this moment is waited for.</summary>
    private long FramesHeld()
    {
        SpinWait spin = default;
        long held;
        do
        {
            Zone.Gate.Enter();
            held = Zone.Out - Zone.Retired;
            Zone.Gate.Exit();
            spin.SpinOnce();
        }
        while (held != 0 && spin.Count < 50);
        return held;
    }
}
