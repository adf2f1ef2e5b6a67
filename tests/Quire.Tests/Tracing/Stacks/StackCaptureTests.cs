using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>What a captured stack says. Skipped where stacks can't be taken.</summary>
[Collection(LedgerCollection.Name)]
public class StackCaptureTests
{
    private const uint Site = 800_000;
    private static uint s_first;
    private static uint s_number;

    public StackCaptureTests() => Assert.SkipUnless(StackCapture.IsAvailable, StackCapture.WhyNot);

    [Fact]
    public void A_plain_call_is_shown_with_its_file_and_line_and_all_its_callers()
    {
        StackOracle.OnThread(() =>
        {
            CapturedStack stack = StackDepot.Of(Plain());
            Assert.False(stack.IsPartial);
            Assert.Matches(@"^Quire\.Tests\.Tracing\.Stacks\.StackCaptureTests\.Plain\(StackCaptureTests\.cs:\d+\)$", stack.Frames[0]);
            Assert.Matches(@"\.A_plain_call_is_shown_with_its_file_and_line_and_all_its_callers\.lambda1\(StackCaptureTests\.cs:\d+\)$", stack.Frames[1]);
            StackOracle.Check();
        });
    }

    [Fact]
    public async Task An_async_method_is_shown_by_its_name_after_an_await_on_the_pool()
    {
        await AsyncMethod();
        Shows(s_number, "StackCaptureTests.AsyncMethod(");
        Shows(s_number, "System.Threading.Thread.StartCallback");
        Assert.DoesNotContain(StackDepot.Of(s_number).Frames, frame => frame.Contains("d__", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_async_lambda_and_an_async_local_function_are_shown_under_their_method()
    {
        Func<Task> lambda = async () =>
        {
            await Task.Yield();
            s_number = Check();
        };
        await lambda();
        Shows(s_number, $"StackCaptureTests.{nameof(An_async_lambda_and_an_async_local_function_are_shown_under_their_method)}.lambda1(");
        await Local();
        Shows(s_number, $"StackCaptureTests.{nameof(An_async_lambda_and_an_async_local_function_are_shown_under_their_method)}.Local(");

        static async Task Local()
        {
            await Task.Yield();
            s_number = Check();
        }
    }

    [Fact]
    public async Task A_lambda_on_the_pool_is_shown_under_its_method()
    {
        int captured = 5;
        uint number = await Task.Run(() => Check() + (uint)(captured - 5));
        Shows(number, $"StackCaptureTests.{nameof(A_lambda_on_the_pool_is_shown_under_its_method)}.lambda1(");
    }

    [Fact]
    public void An_iterator_is_shown_by_its_name()
    {
        StackOracle.OnThread(() =>
        {
            uint number = Iterator().Skip(1).First();
            Shows(number, "StackCaptureTests.Iterator(");
            Shows(number, $"StackCaptureTests.{nameof(An_iterator_is_shown_by_its_name)}.lambda1(");
        });
    }

    [Fact]
    public void Generic_types_and_methods_are_shown_with_their_parameters()
    {
        Shows(Generic<string>.Method(5), "StackCaptureTests.Generic<T>.Method<U>(");
        Shows(Generic<int>.Method("x"), "StackCaptureTests.Generic<T>.Method<U>(");
    }

    [Fact]
    public void A_local_function_is_shown_under_its_method()
    {
        Shows(Local(), $"StackCaptureTests.{nameof(A_local_function_is_shown_under_its_method)}.Local(");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static uint Local() => Check();
    }

    [Fact]
    public void A_new_threads_first_method_is_shown()
    {
        uint number = 0;
        Thread thread = new(() => number = Check());
        thread.Start();
        thread.Join();
        Shows(number, $"StackCaptureTests.{nameof(A_new_threads_first_method_is_shown)}.lambda1(");
        Assert.StartsWith("System.Threading.", StackDepot.Of(number).Frames[^1], StringComparison.Ordinal);
        Assert.False(StackDepot.Of(number).IsPartial);
    }

    [Fact]
    public void A_finalizer_and_a_static_constructor_are_shown_above_those_that_ran_them()
    {
        StackOracle.OnThread(() =>
        {
            s_number = 0;
            Assert.Equal(5, WithStaticConstructor.Five);
            Shows(s_number, "StackCaptureTests.WithStaticConstructor..cctor(");
            Shows(s_number, $"StackCaptureTests.{nameof(A_finalizer_and_a_static_constructor_are_shown_above_those_that_ran_them)}.lambda1(");
            s_number = 0;
            MakeFinalizable();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Shows(s_number, "StackCaptureTests.WithFinalizer.Finalize(");
        });
    }

    [Fact]
    public void The_same_stack_has_the_same_number_and_another_line_or_site_another()
    {
        StackOracle.OnThread(() =>
        {
            uint[] numbers = new uint[3];
            for (int i = 0; i < 3; i++)
            {
                numbers[i] = Plain();
            }

            Assert.All(numbers, number => Assert.Equal(numbers[0], number));
            Assert.NotEqual(numbers[0], Plain());
            uint[] sites = [.. Enumerable.Range(0, 4).Select(i => StackCapture.Take(Site + (uint)(i % 2)))];
            Assert.NotEqual(sites[0], sites[1]);
            Assert.Equal(sites[0], sites[2]);
            Assert.Equal(Site, StackDepot.SiteOf(sites[0]));
            Assert.Equal(Site + 1, StackDepot.SiteOf(sites[1]));
        });
    }

    [Fact]
    public void The_caller_of_a_method_without_a_frame_is_the_right_one_each_time()
    {
        // Optimized from the start, small and with one call: such a method keeps no frame, and its callers differ by one line of one method.
        for (int i = 0; i < 100; i++)
        {
            StackOracle.OnThread(CallFrameless);
            (uint first, uint second) = (s_first, s_number);
            Assert.NotEqual(first, second);
            Assert.Equal(LineOf(StackDepot.Of(first).Frames[4]) + 1, LineOf(StackDepot.Of(second).Frames[4]));
            Assert.False(StackDepot.Of(first).IsPartial);
        }

        static int LineOf(string frame) => int.Parse(frame.AsSpan(frame.LastIndexOf(':') + 1).TrimEnd(')'));
    }

    [Fact]
    public void A_known_stack_makes_no_garbage_and_is_not_taken_apart_again()
    {
        StackOracle.OnThread(() =>
        {
            // The first rounds go through the compiler's tiers.
            for (int i = 0; i < 100; i++)
            {
                TakeMany(1000);
                Thread.Sleep(2);
            }

            long best = long.MaxValue;
            for (int i = 0; i < 3 && best != 0; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread() + StackCapture.Resolved;
                TakeMany(100_000);
                best = Math.Min(best, GC.GetAllocatedBytesForCurrentThread() + StackCapture.Resolved - before);
            }

            Assert.Equal(0, best);
        });
    }

    [Fact]
    public void Threads_that_run_the_same_code_share_keys()
    {
        OnThread(0);
        OnThread(0);
        int keys = StackDepot.Store.Keys;
        long resolved = StackCapture.Resolved;
        for (int i = 0; i < 200; i++)
        {
            OnThread(i % 4);
        }

        // Not one for each thread: a few, for code that was compiled again on the way.
        Assert.InRange(StackDepot.Store.Keys - keys, 0, 20);
        Assert.InRange(StackCapture.Resolved - resolved, 0, 20);

        static void OnThread(int depth)
        {
            uint number = 0;

            // Thread stacks of different sizes, so that their ends differ.
            Thread thread = new(() => number = Check(), (depth + 1) * 256 * 1024);
            thread.Start();
            thread.Join();
            Assert.NotEqual(0u, number);
        }
    }

    [Fact]
    public void An_interrupt_that_comes_meanwhile_is_kept()
    {
        // An interrupt is thrown where a thread waits: at a lock that a capture below native code needs, and that another thread holds for a while.
        Lock gate = (Lock)typeof(NativeCode).GetField("s_gate", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        bool interrupted = false;
        s_number = 0;
        Thread thread = new(() =>
        {
            Thread.CurrentThread.Interrupt();
            SortTwo();
            interrupted = Record.Exception(() => Thread.Sleep(1000)) is ThreadInterruptedException;
        });
        gate.Enter();
        thread.Start();
        Thread.Sleep(300);
        gate.Exit();
        thread.Join();
        Assert.Equal(Site + 77, StackDepot.SiteOf(s_number));
        Assert.True(interrupted);
    }

    [Fact]
    public void What_taking_a_stack_apart_does_itself_gets_no_stack()
    {
        long refused = StackCapture.Refused;
        StackThread.IsBusy = true;
        uint number = StackCapture.Take(Site + 78);
        StackThread.IsBusy = false;
        Assert.Equal(0u, number);
        Assert.True(StackCapture.Refused > refused);
        Assert.NotEqual(0u, StackCapture.Take(Site + 78));
    }

    [Fact]
    public void Every_stack_is_shown_to_a_visitor_with_its_frames()
    {
        uint number = Plain();
        uint last = 0;
        bool seen = false;
        StackDepot.Each((each, frames, partial) =>
        {
            Assert.Equal(last + 1, each);
            last = each;
            if (each == number)
            {
                seen = true;
                Assert.Equal(StackDepot.Of(number).Frames, frames.ToArray().Select(TextTable.TextOf));
                Assert.Equal(StackDepot.Of(number).IsPartial, partial);
            }
        });
        Assert.True(seen);
        Assert.True(last <= (uint)StackDepot.Count);
        StackDepot.Store.Verify();
    }

    [Fact]
    public void Stacks_are_equal_by_their_frames_and_an_unknown_one_says_so()
    {
        StackOracle.OnThread(() =>
        {
            CapturedStack stack = StackDepot.Of(Plain());
            Assert.Equal(stack, new CapturedStack([.. stack.Frames], isPartial: false));
            Assert.NotEqual(stack, new CapturedStack([.. stack.Frames], isPartial: true));
            Assert.NotEqual(stack, new CapturedStack([.. stack.Frames.Skip(1)], isPartial: false));
            Assert.Equal(stack.GetHashCode(), new CapturedStack([.. stack.Frames], isPartial: false).GetHashCode());
            Assert.StartsWith("at Quire.Tests.Tracing.Stacks.StackCaptureTests.Plain(StackCaptureTests.cs:", stack.ToString(), StringComparison.Ordinal);
            Assert.Equal("at a\nat b\n(frames are missing)", new CapturedStack(["a", "b"], isPartial: true).ToString());
            Assert.Equal("(frames are missing)", StackDepot.Of(uint.MaxValue).ToString());
        });
    }

    private static void Shows(uint number, string part) =>
        Assert.Contains(StackDepot.Of(number).Frames, frame => frame.StartsWith("Quire.Tests.Tracing.Stacks." + part, StringComparison.Ordinal) || frame.StartsWith(part, StringComparison.Ordinal));

    // Twice: the second time from the table.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Check()
    {
        uint number = 0;
        for (int i = 0; i < 2; i++)
        {
            number = StackOracle.Check(Site);
            Assert.NotEqual(0u, number);
        }

        return number;
    }

    private static unsafe void SortTwo()
    {
        int* items = stackalloc int[2];
        NativeThunk.Sort(items, 2, sizeof(int), &TakeInSort);
    }

    [UnmanagedCallersOnly]
    private static unsafe int TakeInSort(void* left, void* right)
    {
        for (int i = 0; i < 1; i++)
        {
            s_number = StackCapture.Take(Site + 77);
        }

        return 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Plain() => StackCapture.Take(Site);

    private static async Task AsyncMethod()
    {
        // A delay that is over before it is awaited would go on on the caller's stack.
        await Task.Yield();
        s_number = Check();
    }

    private static IEnumerable<uint> Iterator()
    {
        yield return 0;
        yield return Check();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CallFrameless()
    {
        s_first = Frameless(1);
        s_number = Frameless(1);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static uint Frameless(uint one) => FramelessToo(one) / one;

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static uint FramelessToo(uint one) => Framed(one) / one;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint Framed(uint one)
    {
        uint number = 0;
        for (uint i = 0; i < one; i++)
        {
            number = StackOracle.Check(Site);
        }

        return number;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TakeMany(int count)
    {
        for (int i = 0; i < count; i++)
        {
            s_number = StackCapture.Take(Site);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MakeFinalizable() => _ = new WithFinalizer();

    private static class Generic<T>
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static uint Method<U>(U value)
        {
            uint number = Check();
            GC.KeepAlive((value, typeof(T)));
            return number;
        }
    }

    private static class WithStaticConstructor
    {
        internal static readonly int Five;

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WithStaticConstructor()
        {
            s_number = Check();
            Five = 5;
        }
    }

    private sealed class WithFinalizer
    {
        ~WithFinalizer() => s_number = Check();
    }
}
