using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Holds captured stacks against the runtime's own trace of the same moment.</summary>
internal static class StackOracle
{
    internal const uint Site = 900_000;

    /// <summary>Takes the stack and compares; answers its number. 0 (refused) is not compared.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static uint Check(uint site = Site)
    {
        // On one line, so that both see the same.
        uint number = StackCapture.Take(site); StackTrace trace = new(fNeedFileInfo: true);
        if (number != 0)
        {
            Compare(StackDepot.Of(number), trace);
            Assert.Equal(site, StackDepot.SiteOf(number));
        }

        return number;
    }

    /// <summary>Runs on a thread of its own: a test's own stack is deeper than a walk goes.</summary>
    internal static void OnThread(Action action, int stackBytes = 0)
    {
        Exception? failure = null;
        Thread thread = new(() => failure = Record.Exception(action), stackBytes);
        thread.Start();
        thread.Join();
        Assert.True(failure is null, $"{failure}");
    }

    /// <summary>Complete stacks must have every frame; partial ones the first of them.</summary>
    internal static void Compare(CapturedStack stack, StackTrace trace)
    {
        List<string> expected = [];
        StackFrame? last = null;
        foreach (StackFrame frame in trace.GetFrames())
        {
            // A call out of managed code may be listed twice.
            if (frame.GetNativeOffset() > 0 || last?.GetMethod() != frame.GetMethod())
            {
                expected.Add(FrameText.Of(frame, frame.GetMethod()));
            }

            last = frame;
        }

        if (!stack.IsPartial)
        {
            Same(stack, string.Join('\n', expected.Take(StackWalk.MaximumFrames)));
            return;
        }

        Assert.True(stack.Frames.Count is > 0 and <= StackWalk.MaximumFrames && stack.Frames.Count < expected.Count);
        Same(stack, string.Join('\n', expected.Take(stack.Frames.Count)));
    }

    private static void Same(CapturedStack stack, string expected)
    {
        string captured = string.Join('\n', stack.Frames);
        Assert.True(captured == expected, $"captured:\n{captured}\ntrue:\n{expected}");
    }
}
