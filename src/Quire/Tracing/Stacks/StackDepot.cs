namespace Quire;

/// <summary>The process's known stacks, by number. Safe on any thread; nothing here takes a lock.</summary>
internal static class StackDepot
{
    internal delegate void Visitor(uint number, ReadOnlySpan<uint> frames, bool isPartial);

    private static readonly StackStore? s_store = Make();

    /// <summary>True unless the system had no memory for the tables.</summary>
    internal static bool HasMemory => s_store is not null;

    /// <summary>Where they are. Only if <see cref="HasMemory"/>.</summary>
    internal static StackStore Store => s_store!;

    /// <summary>Stacks known; their numbers are 1 to this.</summary>
    internal static int Count => s_store?.Count ?? 0;

    /// <summary>Stacks known that lack frames.</summary>
    internal static int Partial => s_store?.Partial ?? 0;

    /// <summary>Stacks asked for that found no room: they got the number 0.</summary>
    internal static long Dropped => s_store?.Dropped ?? 0;

    /// <summary>The call site at which a stack was taken; 0 for a number never given out.</summary>
    internal static uint SiteOf(uint stack) => s_store?.SiteOf(stack) ?? 0;

    /// <summary>A stack's frames as texts; an empty partial one for a number never given out.</summary>
    internal static CapturedStack Of(uint stack)
    {
        if (s_store is null || !s_store.TryGet(stack, out ReadOnlySpan<uint> frames, out bool isPartial))
        {
            return new CapturedStack([], isPartial: true);
        }

        string[] texts = new string[frames.Length];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = TextTable.TextOf(frames[i]);
        }

        return new CapturedStack(texts, isPartial);
    }

    /// <summary>Shows all stacks known now. One that comes meanwhile may be shown as well; its finder publishes it in any case.</summary>
    internal static void Each(Visitor visit)
    {
        for (uint number = 1; number <= (uint)Count; number++)
        {
            if (Store.TryGet(number, out ReadOnlySpan<uint> frames, out bool isPartial))
            {
                visit(number, frames, isPartial);
            }
        }
    }

    private static StackStore? Make()
    {
        try
        {
            StackStore store = new();
            TextTable.AddReplay(static sink => Each((number, frames, isPartial) => sink.Stack(number, frames, isPartial)));
            return store;
        }
        catch (InsufficientMemoryException)
        {
            return null;
        }
    }
}
